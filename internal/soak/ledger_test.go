package soak_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// ledger knows what should have become of every session, from the users; and what the host was told, from the events.
type ledger struct {
	t    *testing.T
	name string

	mu       sync.Mutex
	sessions map[string]*fate
}

// fate is what should have become of a session.
type fate struct {
	issued time.Time
	owned  bool          // a user has its tokens
	ended  models.Reason // why it was ended, or empty
	// excused says that nobody can know how it ended: it ran out by itself, or its user got no answer for too long.
	excused bool

	robbed   bool // a thief may have presented a spent token, or one without its key
	caught   bool // a thief was refused at once, so the host was told of it
	reuses   int  // that the host was told of
	unproven int
}

func newLedger(t *testing.T, name string) *ledger {
	return &ledger{t: t, name: name, sessions: map[string]*fate{}}
}

// of changes a session's fate, unless it was forgotten.
func (l *ledger) of(session string, change func(*fate)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.sessions[session]; f != nil {
		change(f)
	}
}

// describe says what is known of a session.
func (l *ledger) describe(session string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := l.sessions[session]
	if f == nil {
		return "it is forgotten"
	}
	return fmt.Sprintf("it is %v old, and the host was told of %d reuses and %d unproven uses", time.Since(f.issued), f.reuses, f.unproven)
}

// event is for Config.OnEvent.
func (l *ledger) event(_ context.Context, event refreshtokens.Event) {
	switch event.Kind {
	case plugin.EventIssued:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.sessions[event.Session.ID] = &fate{issued: event.Time}
	case plugin.EventReuseDetected:
		l.of(event.Session.ID, func(f *fate) { f.reuses++ })
	case plugin.EventUnproven:
		l.of(event.Session.ID, func(f *fate) { f.unproven++ })
	case plugin.EventRevoked:
		if event.Reason != plugin.ByLogout && event.Reason != plugin.ByDeviceList {
			l.t.Errorf("%s: a session was revoked by %s", l.name, event.Reason)
		}
	}
}

// judgeFate compares a session's thieves with the events.
func (l *ledger) judgeFate(id string, f *fate) {
	told := f.reuses + f.unproven
	switch {
	case told > 0 && !f.robbed && !f.excused:
		l.t.Errorf("%s: session %s has no thief, and the host was told of %d reuses and %d unproven uses", l.name, id, f.reuses, f.unproven)
	case f.caught && told == 0:
		l.t.Errorf("%s: session %s has a thief, and the host was told nothing", l.name, id)
	}
}

// forget judges and forgets sessions that began before an instant: they are past their end.
func (l *ledger) forget(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, f := range l.sessions {
		if f.issued.Before(before) {
			l.judgeFate(id, f)
			delete(l.sessions, id)
		}
	}
}

// judge compares the table with what should be there. strays is how many sessions may have begun without anybody having been told:
// the answer was an error, and the row was written.
func (l *ledger) judge(db *gorm.DB, strays int64) {
	var rows []models.RefreshToken
	if err := db.Find(&rows).Error; err != nil {
		l.t.Fatal(err)
	}
	young := time.Now().Add(-sessionTTL + 2*time.Second) // no purge has deleted what is younger
	byID := map[string]models.RefreshToken{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, row := range rows {
		byID[string(row.ID)] = row
		if l.sessions[string(row.ID)] == nil && row.CreatedAt > young.Unix() {
			strays--
		}
	}
	if strays < 0 {
		l.t.Errorf("%s: there are %d rows more than sessions", l.name, -strays)
	}
	living, ended := 0, 0
	for id, f := range l.sessions {
		l.judgeFate(id, f)
		row, there := byID[id]
		switch {
		case !there && f.issued.After(young):
			l.t.Errorf("%s: session %s has no row", l.name, id)
		case !there || !f.owned || f.excused:
		case row.RevokedFor != f.ended || (row.RevokedAt == 0) != (f.ended == ""):
			l.t.Errorf("%s: session %s was revoked for %q, and should be for %q", l.name, id, row.RevokedFor, f.ended)
		case f.ended == "":
			living++
		default:
			ended++
		}
	}
	l.t.Logf("%s: at the end there are %d rows; %d sessions live and %d have ended, as they should", l.name, len(rows), living, ended)
}
