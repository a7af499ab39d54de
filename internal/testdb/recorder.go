package testdb

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// Recorder is a GORM logger that keeps every statement that GORM runs.
type Recorder struct {
	logger.Interface
	mu   sync.Mutex
	seen []string
}

// NewRecorder returns an empty Recorder.
func NewRecorder() *Recorder {
	return &Recorder{Interface: logger.Discard}
}

// LogMode is part of GORM's logger.Interface.
func (r *Recorder) LogMode(logger.LogLevel) logger.Interface { return r }

// Trace is part of GORM's logger.Interface.
func (r *Recorder) Trace(_ context.Context, _ time.Time, fc func() (string, int64), _ error) {
	statement, _ := fc()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, statement)
}

// Seen returns the statements since the last [Recorder.Reset].
func (r *Recorder) Seen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

// Reset forgets all statements.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = nil
}

// Query runs a statement and returns its rows as text, one row on each line.
func Query(t testing.TB, db *gorm.DB, statement string) string {
	t.Helper()
	rows, err := db.Raw(statement).Rows()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new([]byte)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		for i, value := range values {
			fmt.Fprintf(&text, "%s=%s\t", columns[i], *value.(*[]byte))
		}
		text.WriteByte('\n')
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text.String()
}
