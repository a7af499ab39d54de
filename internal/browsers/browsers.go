// Package browsers simulates browser windows whose tabs refresh one session, on virtual time. It is for tests.
//
// The tabs share a jar, in which the last answer stays. They start at random, meet slow networks, lose answers, and try
// again. The servers' clocks differ, and their database stalls.
package browsers

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"time"
)

// Network is what requests and answers meet on their way.
type Network struct {
	Name   string
	Median time.Duration // of one way
	Sigma  float64       // of the delay's logarithm
	Loss   float64       // share of answers that get lost
}

// Networks are four that browsers are used on.
var Networks = []Network{
	{"cable", 10 * time.Millisecond, 0.4, 0.001},
	{"4G", 200 * time.Millisecond, 0.7, 0.02},
	{"3G", 500 * time.Millisecond, 0.8, 0.05},
	{"train", 900 * time.Millisecond, 1.2, 0.2},
}

// Token is a refresh token, in the form of a [Server].
type Token any

// Server is the system under test: hosts with a clock each on one database.
type Server interface {
	// Arrive presents a token to a host, at an instant of the virtual time. The host has read its clock, and its database
	// stalls. The returned function goes on from there: it returns the token that is answered, or false for a 401.
	Arrive(now time.Duration, host int, token Token) (decide func(now time.Duration) (Token, bool))
}

// Window is a browser window with tabs that all refresh when it opens.
type Window struct {
	Tabs    int
	Spread  time.Duration // the tabs start within it
	Network Network
	Grace   time.Duration
	Skew    time.Duration // between the clocks of two hosts, at most half of Grace
	Stall   time.Duration // of the database, at most
	Hosts   int
}

const (
	maxDelay   = 2500 * time.Millisecond
	maxTimeout = 3 * time.Second
)

// NewWindow draws a window within the bounds that the README states: the clocks' difference, a stall, and the way there
// and back fit into the grace period.
func NewWindow(random *rand.Rand, network Network, grace, maxStall time.Duration) Window {
	w := Window{
		Tabs: 2 + random.IntN(29), Spread: 5 * time.Second, Network: network, Grace: grace,
		Skew: time.Duration(random.Int64N(int64(grace/2 + 1))), Hosts: 1 + random.IntN(3),
	}
	w.Stall = min(maxStall, w.budget()-3*maxDelay-time.Second)
	return w
}

// budget is what is left of the grace period where the next host's clock is ahead.
func (w Window) budget() time.Duration { return w.Grace - w.Skew }

// Result is what became of a window.
type Result struct {
	LoggedOut int   // tabs that were answered 401
	Refreshes int   // requests that reached a server
	Lost      int   // answers that got lost
	Jar       Token // the last answer
	Spent     Token // what the jar held when the window opened
	End       time.Duration
}

// Open runs the window to its end. It opens at start, with token in the jar.
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
	rotated time.Duration // when the newest token was minted
}

func (s *simulation) at(when time.Duration, do func()) {
	heap.Push(&s.events, event{when, s.random.Uint64(), do})
}

// send presents a token, from a tab.
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

// retry sends again what got no answer: the same token from memory, or what is in the jar by now.
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
	s.Jar = answer // also where it is older than what is there
}

// loses draws whether an answer gets lost. None does where the retry, or a tab that reads the jar before its answer, would
// come after the grace period.
func (s *simulation) loses() bool {
	lost := s.random.Float64() < s.Network.Loss
	return lost && s.now+maxTimeout+s.Stall+3*maxDelay <= s.rotated+s.budget()
}

// delay draws how long one way takes.
func (s *simulation) delay() time.Duration {
	drawn := float64(s.Network.Median) * math.Exp(s.Network.Sigma*s.random.NormFloat64())
	return min(time.Duration(drawn), maxDelay)
}

// stall draws how long the database takes: hardly any time, or now and then up to the most that a refresh waits.
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
