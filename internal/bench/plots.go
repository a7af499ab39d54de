package main

import (
	"bytes"
	"image/color"
	"log"
	"os"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

type bar struct {
	name  string
	value float64
}

// bars plots below the section that was started last.
func (r *report) bars(name, label string, bars []bar) {
	p := newPlot()
	p.X.Label.Text = label
	names := make([]string, len(bars))
	var most float64
	for _, group := range []struct {
		color color.Color
		has   func(name string) bool
	}{
		{color.Gray{0x8b}, isFloor},
		{plotutil.Color(2), func(name string) bool { return strings.Contains(name, "refreshtokens") }},
		{plotutil.Color(4), func(name string) bool { return !isFloor(name) && !strings.Contains(name, "refreshtokens") }},
	} {
		values := make(plotter.Values, len(bars)) // the bars of other groups have no length
		for i, b := range bars {
			at := len(bars) - 1 - i // in reverse, because the plot starts at the bottom
			plain := strings.NewReplacer("*", "", "`", "").Replace(b.name)
			names[at] = plain + strings.Repeat(" ", len(plain)/3) // room for a wider font
			if group.has(b.name) {
				values[at] = b.value
			}
			most = max(most, b.value)
		}
		chart := must(plotter.NewBarChart(values, vg.Points(12)))
		chart.Horizontal, chart.Color, chart.LineStyle.Width = true, group.color, 0
		p.Add(chart)
	}
	p.NominalY(names...)
	p.X.Min, p.X.Max = 0, most*1.08 // room for the last number
	r.save(p, name, vg.Length(len(bars))*0.24*vg.Inch+0.7*vg.Inch)
}

func isFloor(name string) bool { return strings.Contains(name, "floor") }

// newPlot returns a plot in a font that every system has one of the same widths for.
func newPlot() *plot.Plot {
	plot.DefaultFont.Variant = "Sans"
	plotter.DefaultFont.Variant = "Sans"
	return plot.New()
}

// line is a line of a plot.
type line struct {
	name   string
	points plotter.XYs
}

// lines plots over a logarithmic axis.
func (r *report) lines(name, x, y string, lines []line) {
	p := newPlot()
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(decades)
	p.Legend.Top, p.Legend.Padding = true, vg.Points(4)
	for i, l := range lines {
		drawn, dots, err := plotter.NewLinePoints(l.points)
		if err != nil {
			log.Fatal(err)
		}
		drawn.Color, dots.Color = plotutil.Color(i), plotutil.Color(i)
		drawn.Width, dots.Shape = vg.Points(1.5), plotutil.Shape(i)
		p.Add(drawn, dots)
		p.Legend.Add(l.name, drawn, dots)
	}
	p.Y.Min = 0
	p.X.Max *= 1.5 // room for the last number
	p.Y.Max *= 1.2 // and for the legend
	r.save(p, name, 3.5*vg.Inch)
}

// decades are the ticks of a logarithmic axis, with their numbers written out.
func decades(least, most float64) []plot.Tick {
	ticks := plot.LogTicks{}.Ticks(least, most)
	for i, tick := range ticks {
		if tick.Label != "" {
			ticks[i].Label = thousands(tick.Value)
		}
	}
	return ticks
}

// save writes a plot without a background, whose text and axes are dark on a light page and light on a dark one.
func (r *report) save(p *plot.Plot, name string, height vg.Length) {
	p.BackgroundColor = nil
	var b bytes.Buffer
	if _, err := must(p.WriterTo(7*vg.Inch, height, "svg")).WriteTo(&b); err != nil {
		log.Fatal(err)
	}
	text := strings.NewReplacer("#000000", "currentColor", "Liberation Sans", "Liberation Sans, Arial, Helvetica, sans-serif").Replace(b.String())
	head, rest, ok := strings.Cut(text, `xmlns:xlink="http://www.w3.org/1999/xlink">`)
	if !ok {
		log.Fatal("the SVG has another head than expected")
	}
	text = head + `xmlns:xlink="http://www.w3.org/1999/xlink">
<style>svg { color: #1f2328 } text { fill: currentColor } @media (prefers-color-scheme: dark) { svg { color: #d1d7e0 } }</style>` + rest
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(r.path(name+".svg"), []byte(text), 0o644); err != nil {
		log.Fatal(err)
	}
	r.current().Plot = name
}
