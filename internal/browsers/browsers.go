// Package browsers simulates browser windows for tests. All tabs of a window refresh one session. Time is virtual.
//
// The tabs share a jar, which holds the refresh token of the last answer that arrived. Tabs start at random moments. Networks
// are slow and lose answers, and a tab whose answer is lost tries again. The servers' clocks differ, and their database
// stalls.
package browsers

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"
)

// Network says how long requests and answers travel, and how many answers get lost.
type Network struct {
	Name   string
	Median time.Duration // delay of one way
	Sigma  float64       // standard deviation of the delay's logarithm
	Loss   float64       // share of answers that get lost
}

// Networks are four kinds of network that browsers use.
var Networks = []Network{
	{Name: "cable", Median: 10 * time.Millisecond, Sigma: 0.4, Loss: 0.001},
	{Name: "4G", Median: 200 * time.Millisecond, Sigma: 0.7, Loss: 0.02},
	{Name: "3G", Median: 500 * time.Millisecond, Sigma: 0.8, Loss: 0.05},
	{Name: "train", Median: 900 * time.Millisecond, Sigma: 1.2, Loss: 0.2},
}

// Token is a refresh token. Its type depends on the [Server].
type Token any

// Server is the system under test: several hosts on one database. Each host has its own clock.
type Server interface {
	// Arrive presents a token to a host at the virtual time now. The host reads its clock, and then its database stalls. The
	// caller ends the stall by calling decide at a later time. decide returns the token in the answer, or false for a 401.
	Arrive(now time.Duration, host int, token Token) (decide func(now time.Duration) (Token, bool))
}

// Window is a browser window. All its tabs refresh when it opens.
type Window struct {
	Tabs    int
	Spread  time.Duration // all tabs start within this time
	Network Network
	Grace   time.Duration
	Skew    time.Duration // the most that two hosts' clocks differ; at most half of Grace
	Stall   time.Duration // the longest stall of the database
	Hosts   int
}

const (
	maxDelay   = 2500 * time.Millisecond
	maxTimeout = 3 * time.Second
)

// NewWindow draws a random window within the bounds that docs/how-it-works.md states: the difference of the clocks, a stall
// and the ways of requests and answers together fit into the grace period.
func NewWindow(random *rand.Rand, network Network, grace, maxStall time.Duration) Window {
	w := Window{
		Tabs: 2 + random.IntN(29), Spread: 5 * time.Second, Network: network, Grace: grace,
		Skew: time.Duration(random.Int64N(int64(grace/2 + 1))), Hosts: 1 + random.IntN(3),
	}
	w.Stall = min(maxStall, w.budget()-3*maxDelay-time.Second)
	return w
}

// budget is how much of the grace period is left if the next host's clock is ahead.
func (w Window) budget() time.Duration { return w.Grace - w.Skew }

// Result says what happened in a window.
type Result struct {
	LoggedOut int   // tabs that got a 401
	Refreshes int   // requests that reached a server
	Lost      int   // answers that got lost
	Jar       Token // the token of the last answer that arrived
	Spent     Token // the token in the jar when the window opened
	End       time.Duration
}

// Open runs a window until nothing is left to do. It starts at the virtual time start, with token in the jar.
func (w Window) Open(random *rand.Rand, server Server, start time.Duration, token Token) Result {
	s := &simulation{Window: w, random: random, server: server, now: start, seen: map[Token]bool{token: true}}
	s.Jar, s.Spent, s.rotated = token, token, start
	for range w.Tabs {
		s.at(start+time.Duration(random.Int64N(int64(w.Spread)+1)), func() { s.send(s.Jar) })
	}
	for s.events.Len() > 0 {
		next := heap.Pop(&s.events).(event)
		s.now = next.at
		next.do()
	}
	s.End = s.now
	return s.Result
}

type simulation struct {
	Window
	Result
	random  *rand.Rand
	server  Server
	events  events
	now     time.Duration
	seen    map[Token]bool
	rotated time.Duration // when the request that got the newest token arrived
}

func (s *simulation) at(when time.Duration, do func()) {
	heap.Push(&s.events, event{when, s.random.Uint64(), do})
}

// send has a tab present a token.
func (s *simulation) send(token Token) {
	s.at(s.now+s.delay(), func() {
		arrived := s.now
		s.Refreshes++
		decide := s.server.Arrive(s.now, s.random.IntN(s.Hosts), token)
		s.at(s.now+s.stall(), func() {
			answer, ok := decide(s.now)
			if ok && !s.seen[answer] {
				s.seen[answer] = true
				s.rotated = arrived
			}
			if s.loses() {
				s.Lost++
				s.at(s.now+time.Duration(s.random.Int64N(int64(maxTimeout))), func() { s.retry(token) })
				return
			}
			s.at(s.now+s.delay(), func() { s.receive(answer, ok) })
		})
	})
}

// retry sends a request again whose answer got lost. The tab presents the token that it remembers, or the one in the jar now.
func (s *simulation) retry(token Token) {
	if s.random.IntN(2) == 0 {
		token = s.Jar
	}
	s.send(token)
}

func (s *simulation) receive(answer Token, ok bool) {
	if !ok {
		s.LoggedOut++
		return
	}
	s.Jar = answer // as browsers do: even if the jar holds a newer token
}

// loses draws whether an answer gets lost. It keeps an answer if a loss could bring a request with the older token after
// the grace period: the retry, or a tab that reads the jar before the retry is answered.
func (s *simulation) loses() bool {
	lost := s.random.Float64() < s.Network.Loss
	return lost && s.now+maxTimeout+s.Stall+3*maxDelay <= s.rotated+s.budget()
}

// delay draws how long one way takes.
func (s *simulation) delay() time.Duration {
	drawn := float64(s.Network.Median) * math.Exp(s.Network.Sigma*s.random.NormFloat64())
	return min(time.Duration(drawn), maxDelay)
}

// stall draws how long the database takes. Mostly that is under 5 ms. One time in 20 it is up to the window's Stall.
func (s *simulation) stall() time.Duration {
	if s.random.IntN(20) > 0 {
		return time.Duration(s.random.Int64N(int64(5 * time.Millisecond)))
	}
	return time.Duration(s.random.Int64N(int64(s.Stall) + 1))
}

type event struct {
	at  time.Duration
	tie uint64
	do  func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].tie < e[j].tie
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}
