package plugin

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// Device tells the user where a session is. Any field may be empty. What is too long is cut off, and what isn't printable
// UTF-8 is dropped.
type Device struct {
	Name      string // the user's word for it, fixed at login; at most 64 bytes are kept
	UserAgent string // at most 255 bytes are kept
	IP        string // at most 45 bytes are kept
}

// Sizes of a device's parts, in bytes. The columns of user agent and IP are as wide.
const (
	maxDeviceName = 64
	maxUserAgent  = 255
	maxIP         = 45
)

// columns returns the device as the row holds it.
func (d Device) columns() (userAgent, ip models.Text) {
	return clip(d.UserAgent, maxUserAgent), clip(d.IP, maxIP)
}

// clip returns the longest prefix of s that is whole printable characters in at most size bytes.
func clip(s string, size int) models.Text {
	s = s[:min(len(s), 4*size)] // no need to clean what can't fit
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > size {
		for s = s[:size]; !utf8.ValidString(s); {
			s = s[:len(s)-1]
		}
	}
	return models.Text(s)
}
