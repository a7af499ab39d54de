package main

import (
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/google/uuid"
)

// sessions are rows that were inserted with SQL and not by the module, as if ten users logged in every second. Which they are follows
// from their number, so their tokens can be made without asking the database.
type sessions struct {
	e       *engine
	base    int64 // milliseconds: the time in the first one's id
	now     int64
	created int64 // when the first one was created
	n       int64
	// shuffled gives them subjects in no order, which nobody can make tokens for.
	shuffled bool
}

const (
	userAgent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
	scatter   = 2654435761 // any large odd number
	// most is how many rows a session's number may count to: the first one must not be past its absolute end.
	most     = 20_000_000
	perChunk = 500_000
)

// newSessions empties the table.
func newSessions(e *engine) *sessions {
	empty(e)
	now := time.Now()
	return &sessions{e: e, base: now.UnixMilli(), now: now.Unix(), created: now.Unix() - most/10}
}

func empty(e *engine) {
	statements := []string{"TRUNCATE TABLE refresh_tokens"}
	if e.db.Name() == "sqlite" {
		statements = []string{"DELETE FROM refresh_tokens", "VACUUM"}
	}
	for _, statement := range statements {
		execute(e, statement)
	}
}

func execute(e *engine, statement string, args ...any) {
	if err := e.db.Exec(statement, args...).Error; err != nil {
		log.Fatal(err)
	}
}

// grow inserts rows until there are n, and returns how long that took. The indexes are there from the start, so that their pages are as
// full as they get by logins.
func (s *sessions) grow(n int) time.Duration {
	began := time.Now()
	for s.n < int64(n) {
		last := min(s.n+perChunk, int64(n))
		execute(s.e, s.insert(), s.n+1, last)
		s.n = last
	}
	execute(s.e, map[string]string{
		"postgres": "VACUUM ANALYZE refresh_tokens", "mysql": "ANALYZE TABLE refresh_tokens", "sqlite": "PRAGMA wal_checkpoint(TRUNCATE)",
	}[s.e.db.Name()])
	return time.Since(began)
}

// insert returns the statement that inserts the rows from one number to another.
func (s *sessions) insert() string {
	hex := map[string]string{
		"postgres": "lpad(to_hex(%[1]s), %[2]d, '0')", "mysql": "lpad(lower(hex(%[1]s)), %[2]d, '0')", "sqlite": "printf('%%0%[2]dx', %[1]s)",
	}[s.e.db.Name()]
	digits := func(number string, count int) string { return fmt.Sprintf(hex, number, count) }
	time, random := digits(fmt.Sprintf("(%d + i)", s.base), 12), digits(fmt.Sprintf("(i * %d)", scatter), 15)
	id := []string{"substr(" + time + ",1,8)", "'-'", "substr(" + time + ",9)", "'-7000-8'", "substr(" + random + ",1,3)", "'-'", "substr(" + random + ",4)"}
	text, from, divide := strings.Join(id, " || "), "numbers", "/"
	subject := "'" + subjectPrefix + "' || " + digits("i", 16)
	shuffled := "substr(md5(i::text), 1, 24)"
	with := "WITH numbers(i) AS (SELECT * FROM generate_series(?::bigint, ?::bigint)) "
	switch s.e.db.Name() {
	case "postgres":
		text = "(" + text + ")::uuid"
	case "mysql":
		text, subject, shuffled = "concat("+strings.Join(id, ", ")+")", "concat('"+subjectPrefix+"', "+digits("i", 16)+")", "substr(md5(i), 1, 24)"
		with, divide, from = "", "DIV", fmt.Sprintf("(SELECT seq AS i FROM seq_1_to_%d WHERE seq BETWEEN ? AND ?) numbers", most)
	default:
		shuffled = "lower(hex(randomblob(12)))"
		with = "WITH RECURSIVE numbers(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM numbers WHERE i < ?) "
	}
	if s.shuffled {
		subject = shuffled
	}
	return fmt.Sprintf("%s %s SELECT %s, %s, 1, %d, %d, %d + i %s 10, 0, '', '%s', '192.0.2.1' FROM %s",
		insertInto, with, text, subject, s.now, s.now+week, s.created, divide, userAgent, from)
}

const (
	subjectPrefix = "5ebac534"
	week          = 7 * 24 * 60 * 60
)

// id and token are of the session of a number.
func (s *sessions) id(i int64) string {
	return must(uuid.Parse(fmt.Sprintf("%012x70008%015x", s.base+i, i*scatter))).String()
}

func (s *sessions) token(i int64) string {
	return refreshTokenOf(s.id(i), fmt.Sprintf("%s%016x", subjectPrefix, i), s.created+i/10, s.now)
}
