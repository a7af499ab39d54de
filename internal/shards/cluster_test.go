package shards_test

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

const variable = "REFRESHTOKENS_SHARDS"

// engine is a way to spread a table over servers.
type engine interface {
	// start starts a server. A front can reach shards, a shard has rows.
	start(name string, front bool) (*server, error)
	// introduce tells a front of the i-th shard.
	introduce(front, shard *server, i int) error
	// spread returns the statements of testdb.Shards for so many shards.
	spread(shards int) []string
	// log has a server log its statements from now on, or no longer.
	log(s *server, on bool) error
	dialect() string
}

// cluster is two fronts, and as many shards as a test asked for. They run until the last test is over.
type cluster struct {
	engine
	fronts, shards []*server
}

// clusters are the clusters by the name of their engine. Each is started when a test first asks for it.
var clusters = map[string]func() (*cluster, error){
	"postgres_fdw": sync.OnceValues(func() (*cluster, error) { return newCluster(newPostgres()) }),
	"Spider":       sync.OnceValues(func() (*cluster, error) { return newCluster(newSpider()) }),
}

func newCluster(e engine, err error) (*cluster, error) {
	c := &cluster{engine: e}
	for i := 0; i < 2 && err == nil; i++ {
		var front *server
		front, err = e.start(fmt.Sprint("front", i), true)
		c.fronts = append(c.fronts, front)
	}
	return c, err
}

// open returns the servers of a table over so many shards, and skips the test unless the variable is set.
func open(t testing.TB, name string, shards int) (*cluster, testdb.Shards) {
	t.Helper()
	if os.Getenv(variable) == "" {
		t.Skipf("%s is not set: it starts database servers", variable)
	}
	c, err := clusters[name]()
	for i := len(c.shards); i < shards && err == nil; i++ {
		err = c.addShard(i)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := testdb.Shards{Dialect: c.dialect(), Spread: c.spread(shards)}
	for _, front := range c.fronts {
		s.Fronts = append(s.Fronts, front.dsn())
	}
	for _, shard := range c.shards[:shards] {
		s.Shards = append(s.Shards, shard.dsn())
	}
	return c, s
}

func (c *cluster) addShard(i int) error {
	shard, err := c.start(fmt.Sprint("shard", i), false)
	if err != nil {
		return err
	}
	for _, front := range c.fronts {
		if err := c.introduce(front, shard, i); err != nil {
			return err
		}
	}
	c.shards = append(c.shards, shard)
	return nil
}

// table is a new table of a cluster: a host on each front, and the part that each shard has.
type table struct {
	*cluster
	namespace string // of the table on every server
	hosts     []*testhost.Host
	parts     []*gorm.DB
}

// newTable makes a table over so many shards. The hosts have one clock.
func newTable(t testing.TB, name string, shards int, configure ...func(*refreshtokens.Config)) *table {
	t.Helper()
	c, s := open(t, name, shards)
	namespace := s.NewTables(t)
	table := &table{cluster: c, namespace: namespace}
	for i := range s.Fronts {
		db := testdb.Open(t, s.Front(t, namespace, i), &gorm.Config{})
		oneClock := func(config *refreshtokens.Config) {
			if i > 0 {
				config.Clock = table.hosts[0].Clock.Now
			}
		}
		host := testhost.New(t, db, append([]func(*refreshtokens.Config){oneClock}, configure...)...)
		table.hosts = append(table.hosts, host)
	}
	for i := range s.Shards {
		table.parts = append(table.parts, testdb.Open(t, s.Shard(t, namespace, i), &gorm.Config{}))
	}
	return table
}

// rows returns how many rows each shard has.
func (table *table) rows(t testing.TB) []int64 {
	t.Helper()
	counts := make([]int64, len(table.parts))
	for i, part := range table.parts {
		if err := part.Model(&models.RefreshToken{}).Count(&counts[i]).Error; err != nil {
			t.Fatal(err)
		}
	}
	return counts
}

// layout is an engine, and over how many shards it spreads a table.
type layout struct {
	engine string
	shards int
}

var (
	pairs   = []layout{{"postgres_fdw", 2}, {"Spider", 2}}
	layouts = append(pairs[:2:2], layout{"postgres_fdw", 4})
)

// each runs a test on a new table of every layout.
func each(t *testing.T, layouts []layout, test func(t *testing.T, table *table), configure ...func(*refreshtokens.Config)) {
	t.Helper()
	for _, layout := range layouts {
		t.Run(fmt.Sprintf("%s, %d shards", layout.engine, layout.shards), func(t *testing.T) {
			test(t, newTable(t, layout.engine, layout.shards, configure...))
		})
	}
}
