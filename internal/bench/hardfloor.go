package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// hardFloor starts a server that does the least that we could think of: no router, no JSON package, no JWT package. It checks
// nothing.
func hardFloor(update hardUpdate) string {
	return serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		n, err := io.ReadFull(r.Body, s.body[:])
		_, id, ok := bytes.Cut(s.body[:n], []byte(`"refreshToken":"`))
		end := bytes.IndexByte(id, '"')
		if err != io.ErrUnexpectedEOF || !ok || end < 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		id = id[:end]
		now := time.Now().UTC()
		access, refresh := now.Add(15*time.Minute), now.Add(7*24*time.Hour)
		if err := update(r.Context(), string(id), now.Unix(), refresh.Unix()); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		s.answer = append(s.answer[:0], `{"access":{"token":"`...)
		s.sign(id, `","type":"access","iat":`, now, access)
		s.answer = access.AppendFormat(append(s.answer, `","expires":"`...), stamp)
		s.answer = append(s.answer, `"},"refresh":{"token":"`...)
		s.sign(id, `","type":"refresh","gen":2,"iat":`, now, refresh)
		s.answer = refresh.AppendFormat(append(s.answer, `","expires":"`...), stamp)
		s.answer = append(s.answer, `"}}`...)
		header := w.Header()
		header["Content-Type"] = jsonType
		header["Content-Length"] = []string{strconv.Itoa(len(s.answer))}
		_, _ = w.Write(s.answer)
	}))
}

const stamp = "2006-01-02T15:04:05.000Z"

var (
	jsonType  = []string{"application/json; charset=utf-8"}
	jwtHeader = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "."
	scratches = sync.Pool{New: func() any { return &scratch{mac: hmac.New(sha256.New, []byte(secret))} }}
)

// scratch is what one request of the hard floor works with.
type scratch struct {
	body                 [1024]byte
	answer, payload, sum []byte
	mac                  hash.Hash
}

// sign appends a JWT to the answer.
func (s *scratch) sign(id []byte, kind string, issued, expires time.Time) {
	s.payload = append(append(append(s.payload[:0], `{"sub":"`+subject+`","sid":"`...), id...), kind...)
	s.payload = strconv.AppendInt(s.payload, issued.Unix(), 10)
	s.payload = append(strconv.AppendInt(append(s.payload, `,"exp":`...), expires.Unix(), 10), '}')
	start := len(s.answer)
	s.answer = base64.RawURLEncoding.AppendEncode(append(s.answer, jwtHeader...), s.payload)
	s.mac.Reset()
	s.mac.Write(s.answer[start:])
	s.sum = s.mac.Sum(s.sum[:0])
	s.answer = base64.RawURLEncoding.AppendEncode(append(s.answer, '.'), s.sum)
}
