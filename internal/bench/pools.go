package main

import "fmt"

// poolSizes are how many connections a pool has, in turns.
var poolSizes = []int{1, 2, 4, 8, connections}

// pools measures how many connections a server needs.
func (r *run) pools() {
	columns := []string{"database"}
	for _, size := range poolSizes {
		columns = append(columns, fmt.Sprintf("%d", size))
	}
	r.section("Connections", fmt.Sprintf("Refreshes/s that rotate, of %d clients, by the size of the server's pool.", clients), columns...)
	for _, e := range []*engine{r.pg, r.maria} {
		pool := must(e.db.DB())
		auth, addr := ours(e, noGrace)
		requests := chains(mintOurs(auth), refreshPath, "refreshToken", refreshMark)
		cells := []string{e.name}
		for _, size := range poolSizes {
			pool.SetMaxOpenConns(size)
			load(addr, r.duration/3, requests())
			c := contender{}
			for range r.rounds {
				c.results = append(c.results, load(addr, r.duration, requests()))
			}
			m := c.median()
			cells = append(cells, thousands(m.perSecond))
			r.number(fmt.Sprintf("refreshes with %d connections, %s, /s", size, e.name), m.perSecond)
		}
		limit(pool)
		r.row(cells...)
	}
}
