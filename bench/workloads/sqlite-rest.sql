-- SPDX-License-Identifier: BSD-2-Clause
-- After sqlite.sql: frees its data. The shell then waits for more input, at rest.
DROP TABLE event;
VACUUM;
PRAGMA shrink_memory;
.system echo at rest
