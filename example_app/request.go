package main

import (
	"context"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"
)

// requestTimeout is how long a request may take. It is shorter than the server's WriteTimeout, so that a client gets an answer
// even then.
const requestTimeout = 15 * time.Second

// finish keeps a request running when the client closes its half of the connection. net/http cancels the request's context
// then. It can't distinguish a client that hung up from one that closed only its own half and waits for the answer.
func finish(c *gin.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), requestTimeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

const requestIDHeader = "X-Request-Id"

var goodRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// checkRequestID drops a request id that should not appear in the log and the answer: one that is too long or has other than
// the usual characters. requestid.New then makes a new one.
func checkRequestID(c *gin.Context) {
	if !goodRequestID.MatchString(c.GetHeader(requestIDHeader)) {
		c.Request.Header.Del(requestIDHeader)
	}
}
