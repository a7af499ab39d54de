package main

import (
	"runtime"
	"slices"
	"time"
)

// contender is a system under load.
type contender struct {
	name     string
	addr     string
	requests func() []request
	results  []result
}

// median returns the medians of throughput, p50 and p99 over the rounds, each by itself.
func (c *contender) median() result {
	var perSecond []float64
	var p50s, p99s []time.Duration
	for _, r := range c.results {
		perSecond = append(perSecond, r.perSecond)
		p50s = append(p50s, r.p50)
		p99s = append(p99s, r.p99)
	}
	return result{medianOf(perSecond), medianOf(p50s), medianOf(p99s)}
}

func medianOf[T float64 | time.Duration](values []T) T {
	slices.Sort(values)
	return values[len(values)/2]
}

// compete runs the contenders in turns, so that noise on the machine affects all of them.
func (r *run) compete(contenders ...*contender) {
	for _, c := range contenders {
		load(c.addr, r.duration/3, c.requests()) // warm up
	}
	for round := range r.rounds {
		for i := range contenders {
			c := contenders[(i+round)%len(contenders)]
			requests := c.requests()
			runtime.GC()
			c.results = append(c.results, load(c.addr, r.duration, requests))
		}
	}
}
