package store_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/store"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
)

const (
	helperDialect = "REFRESHTOKENS_TEST_HELPER_DIALECT"
	helperDSN     = "REFRESHTOKENS_TEST_HELPER_DSN"
)

// TestTimeZones: processes in different time zones, whatever the DSN says of times, agree on every instant.
func TestTimeZones(t *testing.T) {
	for _, row := range []struct {
		dialect string
		dsns    func(t *testing.T) []string // of one database
	}{
		{"sqlite", func(t *testing.T) []string {
			file := filepath.Join(t.TempDir(), "test.db")
			return []string{file, file + "?_loc=Local", file + "?_loc=auto"}
		}},
		{"postgres", func(t *testing.T) []string {
			c := testdb.NewPostgres(t)
			dsn := fmt.Sprintf("host=%s port=%d user=%s password='%s' dbname=%s search_path=%s sslmode=disable",
				c.Host, c.Port, c.User, c.Password, c.Database, c.RuntimeParams["search_path"])
			return []string{dsn, dsn + " TimeZone=Asia/Tokyo"}
		}},
		{"mysql", func(t *testing.T) []string {
			dsn := testdb.NewMySQL(t).FormatDSN()
			separator := "?"
			if strings.Contains(dsn, "?") {
				separator = "&"
			}
			return []string{dsn, dsn + separator + "loc=Local", dsn + separator + "loc=Local&parseTime=true", dsn + separator + "time_zone=%27%2B09:00%27"}
		}},
	} {
		t.Run(row.dialect, func(t *testing.T) {
			dsns := row.dsns(t)
			want := row1(t, row.dialect, dsns[0])
			for _, dsn := range dsns {
				for _, zone := range []string{"UTC", "Pacific/Auckland", "America/St_Johns"} {
					command := exec.Command(os.Args[0], "-test.run=^TestTimeZoneHelper$", "-test.v")
					command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "TZ="+zone, helperDialect+"="+row.dialect, helperDSN+"="+dsn)
					output, err := command.CombinedOutput()
					if err != nil || !strings.Contains(string(output), want) {
						t.Errorf("TZ=%s, DSN %s: %v: %s\nwant %s", zone, dsn, err, output, want)
					}
				}
			}
		})
	}
}

// TestTimeZoneHelper is the other process.
func TestTimeZoneHelper(t *testing.T) {
	if os.Getenv(helperDSN) == "" {
		t.Skip("it is for TestTimeZones to run")
	}
	fmt.Println(row1(t, os.Getenv(helperDialect), os.Getenv(helperDSN)))
}

// row1 returns the one row of the table, which it creates if need be.
func row1(t *testing.T, dialect, dsn string) string {
	t.Helper()
	open := map[string]func(string) gorm.Dialector{"sqlite": sqlite.Open, "postgres": postgres.Open, "mysql": mysql.Open}
	rows := store.New(testdb.Open(t, open[dialect](dsn), &gorm.Config{}), "")
	found := find(t, rows, idA)
	if found == nil {
		found = row(idA, "alice")
		found.IssuedAt, found.ExpiresAt, found.CreatedAt = 1774750000, 1774753600, 1774746000 // around a clock change
		create(t, rows, found)
		found = find(t, rows, idA)
	}
	return fmt.Sprintf("%+v", *found)
}
