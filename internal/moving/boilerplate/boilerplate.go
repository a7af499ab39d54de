// Package boilerplate moves the users of an app that was made from hagopj13/node-express-boilerplate.
package boilerplate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/oldtokens"
)

// document is one of the collection tokens, as mongoexport writes it.
type document struct {
	Token string
	User  struct {
		ID string `json:"$oid"`
	}
	Type        string
	Blacklisted bool
	Expires     struct {
		Date time.Time `json:"$date"`
	}
}

// Import reads the output of "mongoexport --collection tokens" and returns how many refresh tokens are in it. The collection also has
// the tokens of mails that reset a password or verify an address. Those log nobody in, so they stay out.
func Import(db *gorm.DB, dump io.Reader) (int, error) {
	var old []oldtokens.OldToken
	for decoder := json.NewDecoder(dump); ; {
		var d document
		if err := decoder.Decode(&d); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return 0, fmt.Errorf("document %d: %w", len(old)+1, err)
		}
		if d.Type != "refresh" || d.Blacklisted {
			continue
		}
		if d.Token == "" || d.User.ID == "" || d.Expires.Date.IsZero() {
			return 0, errors.New("a refresh token has no token, user or expires: is this the collection tokens?")
		}
		old = append(old, oldtokens.New(d.Token, d.User.ID, d.Expires.Date))
	}
	return len(old), oldtokens.Add(db, old)
}
