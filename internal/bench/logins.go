package main

import "fmt"

func (r *run) logins() {
	r.section("A login over HTTP", "`Issue` is one `INSERT`; the floor is a bare `INSERT` and two signatures. Each client logs in users of its own. "+
		"About one login in 64 also looks for old rows to delete, and finds none here.",
		"server", "logins/s", "p50", "p99", "of the floor's logins/s")
	for _, e := range r.engines() {
		_, addr := ours(e, defaultGrace)
		bare, us := &contender{addr: floor(e.floor), requests: logins("/login")}, &contender{addr: addr, requests: logins("/login")}
		r.compete(bare, us)
		f, o := bare.median(), us.median()
		r.result("floor, "+e.name, f)
		r.result("**refreshtokens**, "+e.name, o, times(o.speed(f)))
		r.atLeast("logins/s, of the floor's, "+e.name, o.speed(f), 0.95)
		r.number("logins, "+e.name+", /s", o.perSecond)
	}
}

// logins lets each client log in users of its own.
func logins(path string) func() []request {
	return func() []request {
		all := make([]request, clients)
		for i := range all {
			n := 0
			all[i] = func(*answer) call {
				n++
				return call{path: path, body: fmt.Appendf(nil, `{"subject":"user %d of %d"}`, n, i)}
			}
		}
		return all
	}
}

func (r *run) bursts() {
	const size, rounds = 200, 20
	r.section("One token, all at once", fmt.Sprintf("%d simultaneous refreshes of one token against %d of a token each, %d bursts, with the default grace period. Each token is "+
		"the first one after a login, which rotates. Every refresh is answered 200: one of the %d rotates the one token, and the others get its successor.", size, size, rounds, size),
		"database", "one token, p99", "distinct tokens, p99", "ratio")
	for _, e := range r.engines() {
		auth, addr := ours(e, defaultGrace)
		mint := mintOurs(auth)
		batch := func(token func() string) []request {
			all := make([]request, size)
			for i := range all {
				all[i] = chain(refreshPath, "refreshToken", token(), "")
			}
			return all
		}
		distinct := func() []request { return batch(mint) }
		same := func() []request {
			token := mint()
			return batch(func() string { return token })
		}
		burst(addr, 2, distinct)
		d := burst(addr, rounds, distinct)
		s := burst(addr, rounds, same)
		r.row(e.name, millis(s.p99), millis(d.p99), times(s.tail(d)))
	}
}
