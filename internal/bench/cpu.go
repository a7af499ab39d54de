package main

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"
)

// processors measures how much CPU a refresh and a login need, in the server and in the database. The server is a process of its own.
func (r *run) processors() {
	r.section("CPU", fmt.Sprintf("User and system time by `/proc`, for each request, of a server that is a process of its own and of the database's processes, which %d clients keep busy. "+
		"SQLite is in the server. The load's own time is left out. PostgreSQL's is that of the server's connections and of the background processes, and MariaDB's that of "+
		"the whole server, so nobody else may use them meanwhile.", clients),
		"request", "server", "database", "sum", "requests/s")
	for _, e := range []*engine{r.pg, r.maria, r.lite} {
		addr, server, stop := e.serveApart()
		for _, work := range []struct {
			name     string
			requests func() []request
		}{
			{"a refresh that rotates", loggedIn(addr, "/strict", 0)},
			{"a refresh that repeats", loggedIn(addr, "/lenient", 1)},
			{"a login", logins("/strict/login")},
		} {
			requests := work.requests()
			load(addr, r.duration/3, requests)
			requests = work.requests()
			database := e.processes()
			servers, databases := cpuOf(server), cpuOf(database...)
			m := load(addr, 2*r.duration, requests)
			n := m.perSecond * (2 * r.duration).Seconds()
			servers, databases = (cpuOf(server)-servers)/time.Duration(n), (cpuOf(database...)-databases)/time.Duration(n)
			if e == r.lite {
				r.row(work.name+", "+e.name, micros(servers), "", micros(servers), thousands(m.perSecond))
			} else {
				r.row(work.name+", "+e.name, micros(servers), micros(databases), micros(servers+databases), thousands(m.perSecond))
				r.number(work.name+", "+e.name+", database CPU, µs", float64(databases)/1e3)
			}
			r.number(work.name+", "+e.name+", server CPU, µs", float64(servers)/1e3)
		}
		stop()
	}
}

// processes returns the ids of the database's processes, or none.
func (e *engine) processes() (pids []int) {
	switch e.db.Name() {
	case "postgres":
		e.db.Raw("SELECT pid FROM pg_stat_activity WHERE application_name = ? OR backend_type <> 'client backend'", application).Scan(&pids)
	case "mysql":
		var file string
		e.db.Raw("SELECT @@pid_file").Scan(&file)
		pid, err := strconv.Atoi(string(bytes.TrimSpace(must(os.ReadFile(file)))))
		if err != nil {
			log.Fatal(err)
		}
		pids = []int{pid}
	}
	return pids
}

// cpuOf returns the user and system time of processes. One that has ended counts nothing.
func cpuOf(pids ...int) (sum time.Duration) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux
	for _, pid := range pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // from the third field on
		if len(fields) < 13 {
			continue
		}
		for _, field := range fields[11:13] { // utime and stime
			sum += time.Duration(must(strconv.Atoi(string(field)))) * tick
		}
	}
	return sum
}
