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
func (r result) speed(of result) float64 { return r.perSecond / of.perSecond }
func (r result) tail(of result) float64  { return float64(r.p99) / float64(of.p99) }

// call is a request. One without a body is a GET.
type call struct {
	path    string
	body    []byte
	headers []header
}

type header struct{ name, value string }

// answer is the answer to a call.
type answer struct {
	body   []byte
	cookie string // the value of the cookie that the call asked for
}

// request returns what a client sends next. last is the answer to the client's last request, or nil at first.
type request func(last *answer) call

// load runs one client for each of requests, all at once. Each client sends one request after the other, until d is over. It
// panics unless every answer is a 2xx.
func load(addr string, d time.Duration, requests []request) result {
	client := &fasthttp.HostClient{Addr: addr, MaxConns: len(requests)}
	latencies := make([][]time.Duration, len(requests))
	var wait sync.WaitGroup
	began := time.Now()
	for i, next := range requests {
		wait.Go(func() {
			var last *answer
			for time.Since(began) < d {
				c := next(last)
				sent := time.Now()
				last = send(client, addr, c)
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
				c := next(nil)
				<-start
				sent := time.Now()
				send(client, addr, c)
				latencies[i] = time.Since(sent)
			})
		}
		close(start)
		wait.Wait()
		all = append(all, latencies...)
	}
	return summarize(all, 0)
}

func send(client *fasthttp.HostClient, addr string, c call) *answer {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	req.SetRequestURI("http://" + addr + c.path)
	req.Header.SetUserAgent("bench/1.0")
	for _, h := range c.headers {
		req.Header.Set(h.name, h.value)
	}
	if c.body != nil {
		req.Header.SetMethod(fasthttp.MethodPost)
		req.Header.SetContentType("application/json")
		req.SetBody(c.body)
	}
	if err := client.Do(req, resp); err != nil {
		panic(err)
	}
	if resp.StatusCode()/100 != 2 {
		panic(fmt.Sprintf("%s answered %d: %s", c.path, resp.StatusCode(), resp.Body()))
	}
	return &answer{bytes.Clone(resp.Body()), cookieOf(resp)}
}

// cookieOf returns the value of the refresh token's cookie in an answer, or "".
func cookieOf(resp *fasthttp.Response) string {
	value := resp.Header.PeekCookie(refreshCookie)
	if value == nil {
		return ""
	}
	var cookie fasthttp.Cookie
	if err := cookie.ParseBytes(value); err != nil {
		panic(err)
	}
	return string(cookie.Value())
}

func summarize(latencies []time.Duration, elapsed time.Duration) result {
	slices.Sort(latencies)
	r := result{p50: latencies[len(latencies)/2], p99: latencies[len(latencies)*99/100]}
	if elapsed > 0 {
		r.perSecond = float64(len(latencies)) / elapsed.Seconds()
	}
	return r
}
