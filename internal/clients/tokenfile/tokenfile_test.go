package tokenfile_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens/internal/clients/tokenfile"
)

// server is a strict one: it takes each refresh token once. Its answers are refused or lost as the test says.
type server struct {
	*httptest.Server
	answers []int // the next statuses; 0 loses the answer, after it the same token is good again

	mutex     sync.Mutex
	live      int
	refreshes int
}

func newServer(t *testing.T, answers ...int) *server {
	t.Helper()
	s := &server{answers: answers, live: 1}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.refreshes++
	var body struct{ RefreshToken string }
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	status := http.StatusOK
	if len(s.answers) > 0 {
		status, s.answers = s.answers[0], s.answers[1:]
	}
	switch {
	case body.RefreshToken != fmt.Sprint(s.live):
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/auth/logout":
		w.WriteHeader(http.StatusNoContent)
	case status == 0:
		panic(http.ErrAbortHandler)
	case status != http.StatusOK:
		w.WriteHeader(status)
	default:
		s.live++
		_ = json.NewEncoder(w).Encode(tokens(s.live, time.Now().Add(time.Hour)))
	}
}

func tokens(generation int, expires time.Time) tokenfile.Tokens {
	return tokenfile.Tokens{
		Access:  tokenfile.Token{Token: fmt.Sprintf("access %d", generation), Expires: expires},
		Refresh: tokenfile.Token{Token: fmt.Sprint(generation), Expires: expires.Add(time.Hour)},
	}
}

// ended is a file whose access token has ended.
func ended(t *testing.T) tokenfile.File {
	t.Helper()
	file := tokenfile.File(filepath.Join(t.TempDir(), "tokens.json"))
	if err := file.LogIn(t.Context(), tokens(1, time.Now())); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOneRefreshForAll(t *testing.T) {
	s, file := newServer(t), ended(t)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if token, err := file.AccessToken(t.Context(), s.URL); err != nil || token != "access 2" {
				t.Errorf("%q, %v", token, err)
			}
		})
	}
	all.Wait()
	if s.refreshes != 1 {
		t.Errorf("%d refreshes", s.refreshes)
	}
}

func TestAnswersThatPass(t *testing.T) {
	for _, status := range []int{0, http.StatusTooManyRequests, http.StatusInternalServerError} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			s, file := newServer(t, status), ended(t)
			if token, err := file.AccessToken(t.Context(), s.URL); err != nil || token != "access 2" {
				t.Errorf("%q, %v", token, err)
			}
			if s.refreshes != 2 {
				t.Errorf("%d refreshes", s.refreshes)
			}
		})
	}
}

func TestAnswersThatStay(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusUnauthorized: tokenfile.ErrSignedOut.Error(),
		http.StatusBadRequest:   "refresh: the server answered 400",
	} {
		s, file := newServer(t, status), ended(t)
		if _, err := file.AccessToken(t.Context(), s.URL); err == nil || err.Error() != want {
			t.Errorf("%d: %v", status, err)
		}
		if s.refreshes != 1 {
			t.Errorf("%d: %d refreshes", status, s.refreshes)
		}
		if _, err := os.Stat(string(file)); err != nil {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestLogOut(t *testing.T) {
	s, file := newServer(t), ended(t)
	if err := file.LogOut(t.Context(), s.URL); err != nil {
		t.Fatal(err)
	}
	if _, err := file.AccessToken(t.Context(), s.URL); !errors.Is(err, tokenfile.ErrSignedOut) {
		t.Error(err)
	}
}

func TestFileIsPrivate(t *testing.T) {
	info, err := os.Stat(string(ended(t)))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
}

// TestPage checks that docs/clients.md shows what is tested here.
func TestPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("tokenfile.go")
	if err != nil {
		t.Fatal(err)
	}
	listings := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(page, -1)
	if len(listings) == 0 {
		t.Fatal("the page has no listing in Go")
	}
	for _, listing := range listings {
		if !strings.Contains(string(source), string(listing[1])) {
			t.Errorf("not in tokenfile.go:\n%s", listing[1])
		}
	}
}
