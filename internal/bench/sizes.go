package main

import (
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"gorm.io/gorm"
)

// sizes measures how many bytes a session takes, fresh and after a million refreshes.
func (r *run) sizes() {
	const refreshed = 1_000_000
	r.section("Bytes of a session", fmt.Sprintf("Rows of logins from a browser (a user agent of %d bytes, a user id of 24), %s. Each refresh is "+
		"the `UPDATE` that a refresh makes, of a session drawn from the whole table; here, 100 of them share a statement. The sizes after it are without a `VACUUM` of our own.",
		len(userAgent), "inserted in the order of their ids, with all indexes there"),
		"", "rows", "table", "indexes", "both", fmt.Sprintf("both after %s refreshes", thousands(refreshed)), "log for each refresh")
	smaller := min(1_000_000, r.rows)
	for _, e := range []*engine{r.pg, r.maria, r.lite} {
		rows := newSessions(e)
		rows.shuffled = true
		rows.grow(smaller)
		table, indexes := e.size()
		each := func(bytes float64) string {
			if bytes == 0 {
				return ""
			}
			return fmt.Sprintf("%.0f B", bytes/float64(rows.n))
		}
		r.row(e.name+", users in no order", thousands(float64(rows.n)), each(table), each(indexes), each(table+indexes))
		r.number(fmt.Sprintf("session, %s, %d rows, users in no order, B", e.name, rows.n), (table+indexes)/float64(rows.n))
		rows = newSessions(e)
		for _, n := range slices.Compact([]int{smaller, r.rows}) {
			took := rows.grow(n)
			fmt.Printf("%s: %s rows after %v\n", e.name, thousands(float64(n)), took)
			table, indexes := e.size()
			before := e.logged()
			rows.refresh(refreshed)
			log := ""
			if e.db.Name() != "sqlite" {
				bytes := (e.logged() - before) / refreshed
				log = fmt.Sprintf("%.0f B", bytes)
				r.number(fmt.Sprintf("session, %s, %d rows, log of a refresh, B", e.name, n), bytes)
			}
			tableAfter, indexesAfter := e.size()
			r.row(e.name, thousands(float64(n)), each(table), each(indexes), each(table+indexes), each(tableAfter+indexesAfter), log)
			r.number(fmt.Sprintf("session, %s, %d rows, table, B", e.name, n), table/float64(n))
			r.number(fmt.Sprintf("session, %s, %d rows, indexes, B", e.name, n), indexes/float64(n))
			r.number(fmt.Sprintf("session, %s, %d rows, both after %d refreshes, B", e.name, n, refreshed), (tableAfter+indexesAfter)/float64(n))
		}
		empty(e)
	}
}

// refresh updates sessions drawn from all rows, as a refresh does.
func (s *sessions) refresh(count int) {
	const batch, workers = 100, 4
	var left atomic.Int64
	left.Store(int64(count / batch))
	var wait sync.WaitGroup
	for range min(workers, must(s.e.db.DB()).Stats().MaxOpenConnections) {
		wait.Go(func() {
			for left.Add(-1) >= 0 {
				ids := make([]string, batch)
				for i := range ids {
					ids[i] = s.id(1 + rand.Int64N(s.n))
				}
				slices.Sort(ids) // in the order of the key, no two of them deadlock
				err := s.e.db.Session(&gorm.Session{SkipDefaultTransaction: true}).Table("refresh_tokens").Where("id IN ?", ids).UpdateColumns(map[string]any{
					"generation": gorm.Expr("generation + 1"), "issued_at": s.now + 1, "expires_at": s.now + 1 + week,
					"user_agent": userAgent, "ip": "192.0.2.2", "binding": "",
				}).Error
				if err != nil {
					log.Fatal(err)
				}
			}
		})
	}
	wait.Wait()
}

// size returns the bytes of the table and of its other indexes. InnoDB's primary key is the table. SQLite doesn't say which is which:
// all is in indexes.
func (e *engine) size() (table, indexes float64) {
	switch e.db.Name() {
	case "postgres":
		return e.number("SELECT pg_table_size('refresh_tokens')"), e.number("SELECT pg_indexes_size('refresh_tokens')")
	case "mysql":
		execute(e, "ANALYZE TABLE refresh_tokens")
		query := "SELECT %s FROM information_schema.tables WHERE table_schema = database() AND table_name = 'refresh_tokens'"
		return e.number(fmt.Sprintf(query, "data_length")), e.number(fmt.Sprintf(query, "index_length"))
	default:
		execute(e, "PRAGMA wal_checkpoint(TRUNCATE)")
		return 0, e.number("SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)")
	}
}

// logged returns how many bytes the log that crashes are repaired from has had.
func (e *engine) logged() float64 {
	switch e.db.Name() {
	case "postgres":
		return e.number("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
	case "mysql":
		return e.number("SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'Innodb_os_log_written'")
	default:
		return 0
	}
}
