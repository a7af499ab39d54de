package plugin

import (
	"context"
	"sync"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

const (
	sweepSubjects = 32  // the most that share a sweep
	sweepLimit    = 100 // the most rows that a sweep deletes, for each subject
)

// sweeper lets log-ins that run at the same time share the sweep of their subjects' dead rows, which else would take each
// of them a second statement: one leaves its subject to those that are still under way. The last of them sweeps, and so
// does one that comes to many subjects; a log-in that is alone does so at once.
type sweeper struct {
	mu       sync.Mutex
	underWay int
	subjects []models.Text
}

// join runs a log-in of the subject's and returns whose rows are then to be swept: nobody's while others are under way, nor
// if it failed, which leaves what was left to it to the next one.
func (s *sweeper) join(subject models.Text, login func() error) (due []models.Text, err error) {
	s.mu.Lock()
	s.underWay++
	s.mu.Unlock()
	succeeded := false
	defer func() { // also in a panic
		s.mu.Lock()
		defer s.mu.Unlock()
		s.underWay--
		if !succeeded {
			return
		}
		s.subjects = append(s.subjects, subject)
		if s.underWay == 0 || len(s.subjects) >= sweepSubjects {
			due, s.subjects = s.subjects, nil
		}
	}()
	err = login()
	succeeded = err == nil
	return nil, err
}

// start puts the row of a new session into the table, and the dead ones of its subject out of it.
func (s *Service) start(ctx context.Context, row *models.RefreshToken, now int64) error {
	due, err := s.sweeper.join(row.Subject, func() error { return s.store.Create(ctx, row) })
	if err != nil || len(due) == 0 {
		return err
	}
	_, err = s.store.Sweep(ctx, due, s.cutoff(now), sweepLimit*len(due))
	if err == nil || s.store.InTransaction() {
		return err // the host's transaction may be over, and the session with it
	}
	// Nobody waits for it: the subjects' next log-ins sweep, and so does Purge.
	s.config.Logger.WarnContext(ctx, "refreshtokens: sweep failed", "subjects", len(due), "error", err)
	return nil
}
