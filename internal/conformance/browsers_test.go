package conformance_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/internal/browsers"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testdb"
	"github.com/seed-2f82c0fd/refreshtokens/internal/testhost"
	"github.com/seed-2f82c0fd/refreshtokens/models"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/plugintest"
)

// pause holds a refresh at its first statement, as a database does that stalls.
type pause struct {
	once    sync.Once
	reached chan struct{}
	resume  chan struct{}
}

type pauseKey struct{}

func pauseStatements(t *testing.T, db *gorm.DB) {
	t.Helper()
	wait := func(db *gorm.DB) {
		if p, ok := db.Statement.Context.Value(pauseKey{}).(*pause); ok {
			p.once.Do(func() {
				close(p.reached)
				<-p.resume
			})
		}
	}
	if err := db.Callback().Query().Before("*").Register("test:pause", wait); err != nil {
		t.Fatal(err)
	}
	if err := db.Callback().Update().Before("*").Register("test:pause", wait); err != nil {
		t.Fatal(err)
	}
}

// httpServer is a [browsers.Server]. It has several hosts with skewed clocks on one database, and sends them HTTP requests.
type httpServer struct {
	t       *testing.T
	clock   *plugintest.Clock // the first host's; the other hosts' clocks are behind it
	base    time.Time
	routers []*gin.Engine
}

func (s *httpServer) Arrive(now time.Duration, host int, token browsers.Token) func(time.Duration) (browsers.Token, bool) {
	s.clock.Set(s.base.Add(now))
	p := &pause{reached: make(chan struct{}), resume: make(chan struct{})}
	body := strings.NewReader(`{"refreshToken":"` + token.(string) + `"}`)
	request := httptest.NewRequestWithContext(context.WithValue(s.t.Context(), pauseKey{}, p), http.MethodPost, testhost.RefreshPath, body)
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.routers[host].ServeHTTP(recorder, request)
	}()
	select {
	case <-p.reached:
	case <-done:
	}
	return func(now time.Duration) (browsers.Token, bool) {
		s.clock.Set(s.base.Add(now))
		close(p.resume)
		<-done
		var tokens struct{ Refresh struct{ Token string } }
		switch recorder.Code {
		case http.StatusOK:
			if err := json.Unmarshal(recorder.Body.Bytes(), &tokens); err != nil {
				s.t.Error(err)
			}
		case http.StatusUnauthorized:
		default:
			s.t.Errorf("answered %d %s", recorder.Code, recorder.Body)
		}
		return tokens.Refresh.Token, recorder.Code == http.StatusOK
	}
}

// TestWindowsOfTabs opens simulated browser windows over HTTP. No tab may be logged out, and each window must rotate its session
// exactly once.
func TestWindowsOfTabs(t *testing.T) {
	const windows = 25 // for each network
	testdb.EachDialect(t, func(t *testing.T, db *gorm.DB) {
		pauseStatements(t, db)
		random := rand.New(rand.NewPCG(3, 4))
		for _, network := range browsers.Networks {
			for i := range windows {
				window := browsers.NewWindow(random, network, testhost.Grace, testhost.Grace/2-2*time.Second)
				server := &httpServer{t: t}
				var first *testhost.Host
				for range window.Hosts {
					skew := time.Duration(random.Int64N(int64(window.Skew) + 1))
					host := testhost.New(t, db, func(config *refreshtokens.Config) {
						if first != nil {
							config.Clock = func() time.Time { return first.Clock.Now().Add(-skew) }
						}
					})
					if first == nil {
						first, server.clock, server.base = host, host.Clock, host.Clock.Now()
					}
					server.routers = append(server.routers, host.Router)
				}
				token := first.Login("alice").Refresh.Token
				generation := int64(1)
				if i%2 == 0 {
					token, generation = first.MustRefresh(token).Refresh.Token, 2
				}
				result := window.Open(random, server, time.Hour, token)
				if result.LoggedOut > 0 {
					t.Fatalf("%s, window %d: %d of %d tabs were logged out", network.Name, i, result.LoggedOut, window.Tabs)
				}
				rows := first.Rows()
				if newest := rows[len(rows)-1]; newest.Generation != generation+1 || len(rows) != 1 {
					t.Fatalf("%s, window %d: rows are %+v", network.Name, i, rows)
				}
				later := result.End + time.Duration(random.Int64N(int64(20*time.Minute)))
				if _, ok := server.Arrive(later, 0, result.Jar)(later); !ok {
					t.Fatalf("%s, window %d: the next refresh was refused", network.Name, i)
				}
				if err := db.Where("1 = 1").Delete(&models.RefreshToken{}).Error; err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestOlderAnswerArrivesLast checks a limit that docs/how-it-works.md states. Two tabs refresh just when the token may rotate
// again, one before that moment and one after it. The older answer arrives last, so the client keeps the older token. That
// token works for one more grace period.
func TestOlderAnswerArrivesLast(t *testing.T) {
	for name, row := range map[string]struct {
		idle   time.Duration
		status int
	}{
		"refresh within the grace period": {testhost.Grace, http.StatusOK},
		"refresh after the grace period":  {testhost.Grace + time.Second, http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			host := testhost.New(t, openSQLite(t))
			live := host.MustRefresh(host.Login("alice").Refresh.Token).Refresh.Token
			host.Clock.Advance(2*testhost.Grace - time.Second)
			older := host.MustRefresh(live).Refresh.Token
			host.Clock.Advance(time.Second)
			if newer := host.MustRefresh(live).Refresh.Token; newer == older {
				t.Fatal("the token did not rotate")
			}
			host.Clock.Advance(row.idle)
			host.WantRefresh(older, row.status)
		})
	}
}
