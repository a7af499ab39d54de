package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
)

// maxBody is the largest request body, in bytes.
const maxBody = 8 << 10

const (
	bodyTooLarge  = "The body may have 8 KiB at most"
	wrongBodyType = "Content-Type must be application/json"
)

// fields are where the members of a body go, by name: a *string or a *bool each.
type fields map[string]any

// bind reads a JSON body into the fields. If it can't, it answers 400 with the message, 413 or 415, and returns false. A
// member that is absent or null leaves its field unchanged. Members that are not in fields are ignored.
func bind(c *gin.Context, into fields, message string) bool {
	header := c.GetHeader("Content-Type")
	mediaType, _, err := mime.ParseMediaType(header)
	isEmpty := header == "" && c.Request.ContentLength == 0
	if !isEmpty && (err != nil || mediaType != "application/json") {
		refuseUnread(c, http.StatusUnsupportedMediaType, wrongBodyType)
		return false
	}
	if c.Request.ContentLength > maxBody { // checked first, because a read would send "100 Continue"
		refuseUnread(c, http.StatusRequestEntityTooLarge, bodyTooLarge)
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		refuseUnread(c, http.StatusRequestEntityTooLarge, bodyTooLarge)
		return false
	}
	if err == nil {
		err = into.decode(body)
	}
	if err != nil {
		fail(c, http.StatusBadRequest, message)
		return false
	}
	return true
}

// refuseUnread refuses a body that was not read to its end. It also closes the connection, because net/http would otherwise
// wait for the rest of the body before it answers.
func refuseUnread(c *gin.Context, status int, message string) {
	c.Header("Connection", "close")
	fail(c, status, message)
}

var (
	errNotAnObject = errors.New("not one JSON object")
	errAmbiguous   = errors.New("a member's name occurs twice, or differs from a field's name only by case")
	errBadText     = errors.New("a string has half a surrogate pair or a replacement character")
)

// decode is stricter than encoding/json. encoding/json replaces each byte that isn't UTF-8 by U+FFFD, so different passwords
// would become the same. It accepts EMAIL for email. Of two members with the same name it takes the last, but a proxy in front
// may take the first. A host on Go 1.27 can use encoding/json/v2, which refuses all of these except a name in another case.
func (f fields) decode(body []byte) error {
	if !utf8.Valid(body) || !json.Valid(body) {
		return errNotAnObject
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return errNotAnObject
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		if seen[name] || f.hasOtherCase(name) {
			return errAmbiguous
		}
		seen[name] = true
		if err := f.decodeValue(decoder, f[name]); err != nil {
			return err
		}
	}
	return nil
}

// hasOtherCase reports whether name differs from a field's name only by case.
func (f fields) hasOtherCase(name string) bool {
	for field := range f {
		if field != name && strings.EqualFold(field, name) {
			return true
		}
	}
	return false
}

// decodeValue reads the next value into a field, or skips it where that is nil.
func (fields) decodeValue(decoder *json.Decoder, into any) error {
	if into == nil {
		into = new(json.RawMessage)
	}
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if text, ok := into.(*string); ok && strings.ContainsRune(*text, utf8.RuneError) { // made of half a surrogate pair
		return errBadText
	}
	return nil
}
