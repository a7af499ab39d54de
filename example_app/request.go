package main

import (
	"context"
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
