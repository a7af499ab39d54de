package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
	"gorm.io/gorm/logger"
)

// counter is a logger of GORM's that counts statements. It gets no text of them, which GORM would have to put together.
type counter struct{ n atomic.Int64 }

// LogMode is part of logger.Interface.
func (c *counter) LogMode(logger.LogLevel) logger.Interface { return c }

// Info is part of logger.Interface.
func (*counter) Info(context.Context, string, ...any) {}

// Warn is part of logger.Interface.
func (*counter) Warn(context.Context, string, ...any) {}

// Error is part of logger.Interface.
func (*counter) Error(context.Context, string, ...any) {}

// Trace is part of logger.Interface. GORM calls it after each statement.
func (c *counter) Trace(context.Context, time.Time, func() (string, int64), error) { c.n.Add(1) }

// each returns how many statements one of 100 requests needs.
func (c *counter) each(addr string, next request) float64 {
	const requests = 100
	client := &fasthttp.HostClient{Addr: addr}
	var last *answer
	before := c.n.Load()
	for range requests {
		last = send(client, addr, next(last))
	}
	return float64(c.n.Load()-before) / requests
}
