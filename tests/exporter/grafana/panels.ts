// SPDX-License-Identifier: BSD-2-Clause

// What a dashboard of ours has, by Grafana's own types: make-schema makes a schema of it. Options may be left out, since Grafana has
// defaults for all of them; what it does not know may not be there.
import type { Dashboard, DataSourceRef, Panel, FieldConfig, FieldConfigSource } from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import type { Options as Stat } from './node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type { Options as Series, FieldConfig as SeriesConfig } from './node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';
import type { Options as Table, FieldConfig as TableConfig } from './node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type { Dataquery } from './node_modules/@grafana/grafana-foundation-sdk/dist/prometheus/types.gen';

type Some<T> = T extends Array<infer E> ? Array<Some<E>> : T extends object ? { [K in keyof T]?: Some<T[K]> } : T;
interface Query extends Omit<Dataquery, '_implementsDataqueryVariant' | 'datasource'> { datasource?: DataSourceRef; }
interface Source<C> { defaults: Omit<FieldConfig, 'custom'> & { custom?: Some<C> }; overrides: FieldConfigSource['overrides']; }
interface Of<T extends string, O, C> extends Omit<Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> {
  type: T; options: Some<O>; fieldConfig: Source<C>; targets: Query[];
}
interface None {}
export interface All {
  dashboard: Omit<Dashboard, 'panels'> & { panels: unknown[] };
  stat: Of<'stat', Stat, None>;
  timeseries: Of<'timeseries', Series, SeriesConfig>;
  table: Of<'table', Table, TableConfig>;
}
