package main

import (
	"time"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// newSession is what a login says about the session that it starts.
type newSession struct {
	device   string // its name in the list of sessions
	remember bool   // if not, it ends after briefSession
}

// briefSession is for a device that others use too.
const briefSession = 8 * time.Hour

func (s newSession) deviceOf(c *gin.Context) plugin.Device {
	device := refreshtokens.DeviceOf(c)
	device.Name = s.device
	return device
}

func (s newSession) options() []plugin.SessionOption {
	if s.remember {
		return nil
	}
	return []plugin.SessionOption{plugin.WithSessionTTL(briefSession)}
}
