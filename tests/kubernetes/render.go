// SPDX-License-Identifier: BSD-2-Clause

// Renders a chart as Helm does, as far as ours goes: Debian has no Helm, but what it is made of, text/template and sprig.
// Usage: render CHART RELEASE NAMESPACE [VALUES.yaml [SECRET.yaml]]; SECRET is what lookup finds in the cluster.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "render:", err)
		os.Exit(1)
	}
}

func readYaml(path string) map[string]interface{} {
	text, err := os.ReadFile(path)
	must(err)
	made := map[string]interface{}{}
	must(yaml.Unmarshal(text, &made))
	return made
}

// What is in over replaces what is in base; maps are merged.
func merge(base, over map[string]interface{}) {
	for key, value := range over {
		inner, isMap := value.(map[string]interface{})
		if into, is := base[key].(map[string]interface{}); is && isMap {
			merge(into, inner)
		} else {
			base[key] = value
		}
	}
}

type files struct{ chart string }

func (f files) Get(name string) string {
	text, err := os.ReadFile(filepath.Join(f.chart, name))
	if err != nil {
		return ""
	}
	return string(text)
}

func functions(all *template.Template, found map[string]interface{}) template.FuncMap {
	made := sprig.TxtFuncMap()
	delete(made, "env")
	delete(made, "expandenv")
	made["include"] = func(name string, data interface{}) (string, error) {
		var out bytes.Buffer
		err := all.ExecuteTemplate(&out, name, data)
		return out.String(), err
	}
	made["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	made["toJson"] = func(value interface{}) (string, error) {
		text, err := json.Marshal(value)
		return string(text), err
	}
	made["fromJson"] = func(text string) (map[string]interface{}, error) {
		value := map[string]interface{}{}
		return value, json.Unmarshal([]byte(text), &value)
	}
	made["lookup"] = func(version, kind, namespace, name string) map[string]interface{} { return found }
	return made
}

func main() {
	if len(os.Args) < 4 {
		must(fmt.Errorf("usage: render CHART RELEASE NAMESPACE [VALUES [SECRET]]"))
	}
	chart := os.Args[1]
	values := readYaml(filepath.Join(chart, "values.yaml"))
	found := map[string]interface{}{}
	if len(os.Args) > 4 {
		merge(values, readYaml(os.Args[4]))
	}
	if len(os.Args) > 5 {
		found = readYaml(os.Args[5])
	}
	about := readYaml(filepath.Join(chart, "Chart.yaml"))
	data := map[string]interface{}{
		"Values":  values,
		"Chart":   map[string]interface{}{"Name": about["name"], "Version": about["version"], "AppVersion": about["appVersion"]},
		"Release": map[string]interface{}{"Name": os.Args[2], "Namespace": os.Args[3], "Service": "Helm"},
		"Files":   files{chart},
	}
	all := template.New("chart").Option("missingkey=zero")
	all.Funcs(functions(all, found))
	names, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	must(err)
	sort.Strings(names)
	for _, name := range names {
		text, err := os.ReadFile(name)
		must(err)
		_, err = all.New(filepath.Base(name)).Parse(string(text))
		must(err)
	}
	for _, name := range names {
		if strings.HasPrefix(filepath.Base(name), "_") || strings.HasSuffix(name, ".txt") {
			continue
		}
		fmt.Println("---")
		must(all.ExecuteTemplate(os.Stdout, filepath.Base(name), data))
	}
}
