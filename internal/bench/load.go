package main

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// clients is how many keep-alive connections the load comes over.
const clients = 16

// result is what a run of load saw.
type result struct {
	perSecond float64
	p50, p99  time.Duration
}

// speed and tail are what the throughput and the p99 are of another result's.
func (r result) speed(of result) string { return times(r.perSecond / of.perSecond) }
func (r result) tail(of result) string  { return times(float64(r.p99) / float64(of.p99)) }

// request is what a client sends next, given the answer to what it sent before (nil at first).
type request func(answer []byte) (path string, body []byte)

// load has every client send its requests one after the other, for d. Each answer must be a 2xx.
func load(addr string, d time.Duration, requests []request) result {
	client := &fasthttp.HostClient{Addr: addr, MaxConns: len(requests)}
	latencies := make([][]time.Duration, len(requests))
	var wait sync.WaitGroup
	began := time.Now()
	for i, next := range requests {
		wait.Go(func() {
			var answer []byte
			for time.Since(began) < d {
				path, body := next(answer)
				sent := time.Now()
				answer = post(client, addr, path, body)
				latencies[i] = append(latencies[i], time.Since(sent))
			}
		})
	}
	wait.Wait()
	elapsed := time.Since(began)
	return summarize(slices.Concat(latencies...), elapsed)
}

// burst sends all requests at once, again and again, and returns the latencies of all.
func burst(addr string, rounds int, requests func() []request) result {
	client := &fasthttp.HostClient{Addr: addr, MaxConns: 1000}
	var all []time.Duration
	for range rounds {
		batch := requests()
		latencies := make([]time.Duration, len(batch))
		start := make(chan struct{})
		var wait sync.WaitGroup
		for i, next := range batch {
			wait.Go(func() {
				path, body := next(nil)
				<-start
				sent := time.Now()
				post(client, addr, path, body)
				latencies[i] = time.Since(sent)
			})
		}
		close(start)
		wait.Wait()
		all = append(all, latencies...)
	}
	return summarize(all, 0)
}

func post(client *fasthttp.HostClient, addr, path string, body []byte) []byte {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI("http://" + addr + path)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.SetContentType("application/json")
	req.Header.SetUserAgent("bench/1.0")
	req.SetBody(body)
	if err := client.Do(req, resp); err != nil {
		panic(err)
	}
	if resp.StatusCode()/100 != 2 {
		panic(fmt.Sprintf("%s answered %d: %s", path, resp.StatusCode(), resp.Body()))
	}
	return bytes.Clone(resp.Body())
}

func summarize(latencies []time.Duration, elapsed time.Duration) result {
	slices.Sort(latencies)
	r := result{p50: latencies[len(latencies)/2], p99: latencies[len(latencies)*99/100]}
	if elapsed > 0 {
		r.perSecond = float64(len(latencies)) / elapsed.Seconds()
	}
	return r
}

// between returns what stands between two marks in an answer.
func between(answer []byte, before, after string) string {
	_, rest, ok := bytes.Cut(answer, []byte(before))
	value, _, ok2 := bytes.Cut(rest, []byte(after))
	if !ok || !ok2 {
		panic(fmt.Sprintf("no %s in %s", before, answer))
	}
	return string(value)
}

// rotated returns the token in an answer, which must be another one than was presented: a repeat is not to be measured as
// a rotation.
func rotated(answer []byte, mark, presented string) string {
	token := between(answer, mark, `"`)
	if token == presented {
		panic("a refresh repeated its token where it was to rotate it")
	}
	return token
}

// again presents one refresh token every time, which must be answered with itself.
func again(path, field, token, mark string) request {
	return func(answer []byte) (string, []byte) {
		if answer != nil && between(answer, mark, `"`) != token {
			panic("a refresh rotated its token where it was to repeat it")
		}
		return path, []byte(`{"` + field + `":"` + token + `"}`)
	}
}

// chain walks down a chain of refresh tokens, each from the answer before. Where mark is empty, it presents the first one
// every time.
func chain(path, field, token, mark string) request {
	return func(answer []byte) (string, []byte) {
		if answer != nil && mark != "" {
			token = rotated(answer, mark, token)
		}
		return path, []byte(`{"` + field + `":"` + token + `"}`)
	}
}
