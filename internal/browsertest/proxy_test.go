package browsertest_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// exchange is one request and the app's answer to it.
type exchange struct {
	arrived      time.Time
	method, path string
	request      http.Header
	status       int // 0 while the app has not answered
	header       http.Header
	body         string
}

func (e *exchange) is(route string) bool { return e.method+" "+e.path == route }

// fate is what becomes of an answer on its way to the browser.
type fate int

const (
	arrives fate = iota
	lost         // the connection is closed before the answer begins
	cut          // the connection is closed in the middle of the answer
)

// blankPage is a page of the site with no script and no requests of its own. The proxy serves it.
const blankPage = "/blank"

// relay asks the app and passes its whole answer on, unless tamper wants another fate for it.
func (s *site) relay(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == blankPage {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, `<!doctype html><title>Blank</title><link rel="icon" href="data:,">`)
		return
	}
	e := &exchange{arrived: time.Now(), method: r.Method, path: r.URL.Path, request: r.Header.Clone()}
	s.mu.Lock()
	s.exchanges = append(s.exchanges, e)
	s.mu.Unlock()

	answer := httptest.NewRecorder()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(out *httputil.ProxyRequest) {
			out.SetURL(&url.URL{Scheme: s.scheme, Host: s.addr})
			out.Out.Host = out.In.Host
		},
		Transport:    s.client.Transport,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // the app is down
	}
	proxy.ServeHTTP(answer, r)
	s.mu.Lock()
	e.status, e.header, e.body = answer.Code, answer.Header(), answer.Body.String()
	tamper := s.tamper
	s.mu.Unlock()

	fate := arrives
	if tamper != nil {
		fate = tamper(e)
	}
	if fate == lost {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), answer.Header())
	if fate == cut {
		w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()))
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// setTamper decides the fate of the answers from now on. It may block, which delays the answer.
func (s *site) setTamper(tamper func(*exchange) fate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tamper = tamper
}

// loseNext gives the next answers of a route a fate other than to arrive.
func (s *site) loseNext(route string, how fate, count int) {
	var lost atomic.Int64
	s.setTamper(func(e *exchange) fate {
		if e.is(route) && lost.Add(1) <= int64(count) {
			return how
		}
		return arrives
	})
}

// holdNext delays the next answer of a route until release is called. answered is closed when the app has answered.
func (s *site) holdNext(route string) (answered <-chan struct{}, release func()) {
	reached, released := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	s.setTamper(func(e *exchange) fate {
		if e.is(route) && held.CompareAndSwap(false, true) {
			close(reached)
			<-released
		}
		return arrives
	})
	release = sync.OnceFunc(func() { close(released) })
	s.t.Cleanup(release)
	return reached, release
}
