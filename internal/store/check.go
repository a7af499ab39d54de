package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Check returns an error that says what to do unless the table can be read and has every column.
func (s *Store) Check(ctx context.Context) error {
	if pool, err := s.db.DB(); err == nil {
		if err := pool.PingContext(ctx); err != nil {
			return fmt.Errorf("the database can't be reached: %w", err)
		}
	}
	stmt := &gorm.Statement{DB: s.db, Table: s.table}
	if err := stmt.ParseWithSpecialTableName(&models.RefreshToken{}, s.table); err != nil {
		return fmt.Errorf("parse the model: %w", err)
	}
	err := s.probe(ctx, stmt.Schema.DBNames...)
	if err == nil {
		return nil
	}
	migrate := "run db.AutoMigrate(models.All()...) before refreshtokens.New"
	if s.table != "" {
		migrate = fmt.Sprintf("run db.Table(%q).AutoMigrate(models.All()...) before refreshtokens.New", s.table)
	}
	if isMissingTable(err) {
		return fmt.Errorf("there is no table %q: %s", stmt.Table, migrate)
	}
	for _, column := range stmt.Schema.DBNames {
		if isMissingColumn(s.probe(ctx, column)) {
			return fmt.Errorf("table %q has no column %q: %s; if the table is another one of yours, name ours with Config.Table",
				stmt.Table, column, migrate)
		}
	}
	return fmt.Errorf("table %q can't be read: %w", stmt.Table, err)
}

// probe reads the columns of no row.
func (s *Store) probe(ctx context.Context, columns ...string) error {
	var rows []models.RefreshToken
	return s.on(ctx, s.db, &models.RefreshToken{}).Select(columns).Where("1 = 0").Find(&rows).Error
}

func isMissingTable(err error) bool {
	return hasCode(err, "42P01", 1146) || err != nil && strings.Contains(err.Error(), "no such table")
}

func isMissingColumn(err error) bool {
	return hasCode(err, "42703", 1054) || err != nil && strings.Contains(err.Error(), "no such column")
}

// hasCode tells whether err has PostgreSQL's SQLSTATE or MySQL's error number.
func hasCode(err error, state string, number uint64) bool {
	got := codeOf(err)
	return got.state == state || slices.Contains(got.numbers, number)
}

// Now returns the database's clock in Unix seconds, and whether it could be asked: not on a dialect that we don't know.
func (s *Store) Now(ctx context.Context) (seconds int64, known bool, err error) {
	query, known := map[string]string{
		"sqlite":   "SELECT CAST(strftime('%s', 'now') AS integer)",
		"postgres": "SELECT CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP()) AS bigint)",
		"mysql":    "SELECT UNIX_TIMESTAMP()",
	}[s.db.Name()]
	if !known {
		return 0, false, nil
	}
	result, _ := s.retry(ctx, again, func() *gorm.DB {
		db := primary(s.on(ctx, s.db, &models.RefreshToken{}))
		return db.Raw(query).Scan(&seconds)
	})
	if result.Error != nil {
		return 0, false, fmt.Errorf("store: read the database's clock: %w", result.Error)
	}
	return seconds, true, nil
}
