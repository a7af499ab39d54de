package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// report collects what was measured. Each part that ends is written at once, so a run that breaks off loses only the part that it
// was at, and a later run can measure some parts anew.
type report struct {
	dir   string
	order []string
	parts map[string]*part
	part  *part // the one that is being measured
	began time.Time
}

// part is what is measured together. benchmarks.json has all of them.
type part struct {
	Name     string             `json:"name"`
	Measured string             `json:"measured"` // the day
	Seconds  float64            `json:"seconds"`  // that it took
	Command  string             `json:"command"`
	Machine  string             `json:"machine"`
	Goals    []goal             `json:"goals,omitempty"`
	Numbers  map[string]float64 `json:"numbers,omitempty"` // for docs/capacity.md, by name with the unit at its end
	Sections []*section         `json:"sections"`
}

type section struct {
	Title   string     `json:"title"`
	Text    string     `json:"text"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
	Note    string     `json:"note,omitempty"`
	Plot    string     `json:"plot,omitempty"`
}

// goal is a figure and the bound that it has to keep.
type goal struct {
	What     string  `json:"what"`
	Measured float64 `json:"measured"`
	AtLeast  bool    `json:"atLeast"` // or else at most
	Bound    float64 `json:"bound"`
	Unit     string  `json:"unit"`
}

func (g goal) met() bool {
	if g.AtLeast {
		return g.Measured >= g.Bound
	}
	return g.Measured <= g.Bound
}

func openReport(dir string, order []string) *report {
	r := &report{dir: dir, order: order, parts: map[string]*part{}}
	text, err := os.ReadFile(r.path("benchmarks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r
	}
	var before []*part
	if err = errors.Join(err, json.Unmarshal(text, &before)); err != nil {
		log.Fatal(err)
	}
	for _, p := range before {
		r.parts[p.Name] = p
	}
	return r
}

func (r *report) path(name string) string { return filepath.Join(r.dir, name) }

func (r *report) begin(name, command, machine string) {
	r.began = time.Now()
	r.part = &part{Name: name, Measured: r.began.Format(time.DateOnly), Command: command, Machine: machine, Numbers: map[string]float64{}}
}

// end writes the report with the part.
func (r *report) end() {
	r.part.Seconds = time.Since(r.began).Round(time.Second).Seconds()
	r.parts[r.part.Name] = r.part
	fmt.Print(render([]*part{r.part}))
	var all []*part
	for _, name := range r.order {
		if p := r.parts[name]; p != nil {
			all = append(all, p)
		}
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		log.Fatal(err)
	}
	text := append(must(json.MarshalIndent(all, "", "\t")), '\n')
	for name, text := range map[string][]byte{"benchmarks.json": text, "benchmarks.md": []byte(render(all))} {
		if err := os.WriteFile(r.path(name), text, 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// section starts a section, and its table.
func (r *report) section(title, text string, columns ...string) {
	r.part.Sections = append(r.part.Sections, &section{Title: title, Text: text, Columns: columns})
}

func (r *report) current() *section { return r.part.Sections[len(r.part.Sections)-1] }

func (r *report) row(cells ...string) {
	s := r.current()
	s.Rows = append(s.Rows, append(cells, slices.Repeat([]string{""}, len(s.Columns)-len(cells))...))
}

// result adds a row to the table: a name, the result, and further cells.
func (r *report) result(name string, m result, cells ...string) {
	r.row(append([]string{name, thousands(m.perSecond), millis(m.p50), millis(m.p99)}, cells...)...)
}

func (r *report) note(text string) { r.current().Note = text }

// number keeps a figure under a name that ends with its unit.
func (r *report) number(name string, value float64) { r.part.Numbers[name] = value }

// atLeast is for a ratio.
func (r *report) atLeast(what string, measured, bound float64) {
	r.part.Goals = append(r.part.Goals, goal{what, measured, true, bound, "×"})
}

func (r *report) atMost(what string, measured, bound float64, unit string) {
	r.part.Goals = append(r.part.Goals, goal{what, measured, false, bound, unit})
}
