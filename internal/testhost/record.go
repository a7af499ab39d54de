package testhost

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
)

// RecordVariable names the environment variable with the file that [Exchange]s are appended to. Without it, none is recorded.
const RecordVariable = "REFRESHTOKENS_EXCHANGES"

// Exchange is a request and its answer, as a line of JSON. The tests of docs/openapi.yaml read them.
type Exchange struct {
	Test     string // the name of the test
	Group    string // the path of the group in Gin's form; for a route outside of one: ""
	Route    string // the rest of the route's path
	Method   string
	Host     string
	URL      string // the target of the request
	Request  Message
	Status   int
	Response Message
}

// Message is what a request and an answer have both.
type Message struct {
	Header http.Header
	Body   []byte
	Unread bool // the handlers left some of the body unread
}

// NewRouter takes the place of [gin.New] where a test makes the host's router itself, so that its exchanges can be recorded.
func NewRouter(t testing.TB) *gin.Engine {
	t.Helper()
	router := gin.New()
	if path := os.Getenv(RecordVariable); path != "" {
		router.Use(record(t, path))
	}
	return router
}

// recording keeps the lines of concurrent requests apart.
var recording sync.Mutex

// record is a middleware that appends the exchanges of the plugin's routes to a file.
func record(t testing.TB, path string) gin.HandlerFunc {
	return func(c *gin.Context) {
		group, route := SplitRoute(c.FullPath())
		if route == "" {
			return
		}
		exchange := Exchange{
			Test: t.Name(), Group: group, Route: route, Method: c.Request.Method, Host: c.Request.Host, URL: c.Request.RequestURI,
			Request: Message{Header: c.Request.Header.Clone()},
		}
		body := &copiedBody{ReadCloser: c.Request.Body, ended: c.Request.ContentLength == 0}
		if c.Request.Body != nil {
			c.Request.Body = body
		}
		answer := &copiedAnswer{ResponseWriter: c.Writer}
		c.Writer = answer
		c.Next()

		exchange.Request.Body, exchange.Request.Unread = body.read.Bytes(), !body.ended
		exchange.Status = c.Writer.Status()
		exchange.Response = Message{Header: c.Writer.Header().Clone(), Body: answer.written.Bytes()}
		line, err := json.Marshal(exchange)
		if err == nil {
			err = appendLine(path, line)
		}
		if err != nil {
			panic("testhost: record an exchange: " + err.Error()) // the test may be over, so t can't fail any more
		}
	}
}

func appendLine(path string, line []byte) error {
	recording.Lock()
	defer recording.Unlock()
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(line, '\n'))
	return errors.Join(err, file.Close())
}

// copiedBody keeps what is read of a body.
type copiedBody struct {
	io.ReadCloser
	read  bytes.Buffer
	ended bool
}

func (b *copiedBody) Read(into []byte) (int, error) {
	n, err := b.ReadCloser.Read(into)
	b.read.Write(into[:n])
	b.ended = b.ended || errors.Is(err, io.EOF)
	return n, err
}

// copiedAnswer keeps what is written of an answer.
type copiedAnswer struct {
	gin.ResponseWriter
	written bytes.Buffer
}

func (a *copiedAnswer) Write(content []byte) (int, error) {
	a.written.Write(content)
	return a.ResponseWriter.Write(content)
}

func (a *copiedAnswer) WriteString(content string) (int, error) {
	a.written.WriteString(content)
	return a.ResponseWriter.WriteString(content)
}
