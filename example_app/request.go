package main

import (
	"context"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"
)

// requestTimeout is how long a request may take. It is shorter than the server's WriteTimeout, so that the client gets an
// answer.
const requestTimeout = 15 * time.Second

// finish lets a request end with its answer. net/http cancels the context of a request when the client sends no more. It
// can't tell a client that hung up from one that closed only its own half of the connection and waits for the answer.
func finish(c *gin.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), requestTimeout)
	defer cancel()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
}

const requestIDHeader = "X-Request-Id"

var goodRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// checkRequestID drops an id that is too long, or strange, for the log and the answer. requestid.New then makes another.
func checkRequestID(c *gin.Context) {
	if !goodRequestID.MatchString(c.GetHeader(requestIDHeader)) {
		c.Request.Header.Del(requestIDHeader)
	}
}
