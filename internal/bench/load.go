package main

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// clients is how many clients send the load. Each has one keep-alive connection.
const clients = 16

// result is the outcome of one run of load or burst.
type result struct {
	perSecond float64
	p50, p99  time.Duration
}

// speed returns the ratio of r's throughput to of's, and tail the ratio of r's p99 to of's.
func (r result) speed(of result) string { return times(r.perSecond / of.perSecond) }
func (r result) tail(of result) string  { return times(float64(r.p99) / float64(of.p99)) }

// request returns what a client sends next. answer is the answer to the client's last request, or nil at first.
type request func(answer []byte) (path string, body []byte)

// load runs one client for each of requests, all at once. Each client sends one request after the other, until d is over. It
// panics unless every answer is a 2xx.
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

// burst sends a batch of requests at once, rounds times. The result has no throughput.
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

// between returns the text between two marks in an answer.
func between(answer []byte, before, after string) string {
	_, rest, ok := bytes.Cut(answer, []byte(before))
	value, _, ok2 := bytes.Cut(rest, []byte(after))
	if !ok || !ok2 {
		panic(fmt.Sprintf("no %s in %s", before, answer))
	}
	return string(value)
}

// rotated returns the token in an answer. It panics if that is the presented token, because a repeat must not be measured as a
// rotation.
func rotated(answer []byte, mark, presented string) string {
	token := between(answer, mark, `"`)
	if token == presented {
		panic("a refresh repeated a token that it should have rotated")
	}
	return token
}

// again presents the same refresh token every time. It panics if the answer has another one.
func again(path, field, token, mark string) request {
	return func(answer []byte) (string, []byte) {
		if answer != nil && between(answer, mark, `"`) != token {
			panic("a refresh rotated a token that it should have repeated")
		}
		return path, []byte(`{"` + field + `":"` + token + `"}`)
	}
}

// chain presents the refresh token of the answer before, so that each request rotates. If mark is empty, it presents the first
// token every time.
func chain(path, field, token, mark string) request {
	return func(answer []byte) (string, []byte) {
		if answer != nil && mark != "" {
			token = rotated(answer, mark, token)
		}
		return path, []byte(`{"` + field + `":"` + token + `"}`)
	}
}
