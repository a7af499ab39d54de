package plugin

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// legacyToken is a refresh token of another system; see [Config.Legacy]. It is treated as the first token of a session whose row is
// not there yet. The session's id is derived from the token, so the primary key decides which of several requests starts the
// session. From then on the decision table does the rest: the legacy token is the spent one, of generation 1, and the row begins
// with generation 2, which repeats for twice the grace period like every later one.
type legacyToken struct {
	text string
	key  []byte // derived from one of the secrets
}

const legacyGeneration = 1

// legacyKeyInfo is the HKDF info of the keys (RFC 5869 §3.2). Changing it lets each legacy token be taken over again.
const legacyKeyInfo = "refreshtokens/legacy-token/v1"

func deriveLegacyKeys(secrets [][]byte) ([][]byte, error) {
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		var err error
		if keys[i], err = hkdf.Key(sha256.New, secret, nil, legacyKeyInfo, sha256.Size); err != nil {
			return nil, fmt.Errorf("derive the key of legacy tokens: %w", err)
		}
	}
	return keys, nil
}

// isLegacy tells whether the host is to be asked about a token that was refused with err. A token of this module's form never
// is, and neither is what can't be a refresh token: it must be printable ASCII (RFC 6749, appendix A.17) of at most 8 KiB.
func (s *Service) isLegacy(token string, err error) bool {
	return s.config.Legacy != nil && errors.Is(err, ErrInvalidToken) && token != "" && len(token) <= jose.MaxLength &&
		!strings.ContainsFunc(token, func(r rune) bool { return r < ' ' || r > '~' }) && !jose.Resembles(token)
}

// hash is a keyed hash of parts and the token. No part holds a NUL.
func (l legacyToken) hash(parts ...string) []byte {
	mac := hmac.New(sha256.New, l.key)
	mac.Write([]byte(strings.Join(append(parts, l.text), "\x00")))
	return mac.Sum(nil)[:16]
}

// id returns the id of the token's session: a UUIDv8 (RFC 9562 §5.8). Only who has the secret can derive it.
func (l legacyToken) id() models.Text {
	id := uuid.UUID(l.hash("id"))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return models.Text(id.String())
}

// data returns the data of the session that the token starts for a subject. Its tag proves that we gave the session to this subject: the
// token doesn't say whose it is, and whoever can write to the table must not give it to somebody else.
func (l legacyToken) data(subject string) json.RawMessage {
	return json.RawMessage(`{"legacy":"` + base64.RawURLEncoding.EncodeToString(l.hash("subject", subject)) + `"}`)
}

// claims returns what the token would say if it were one of ours.
func (l legacyToken) claims(subject string, createdAt int64) refreshClaims {
	return refreshClaims{
		Registered: jose.Registered{Subject: subject, SessionID: string(l.id()), AuthTime: createdAt},
		Generation: legacyGeneration,
		Data:       l.data(subject),
	}
}

// claimsOf is claims for a token that was taken over: the row tells whose it is.
func (l legacyToken) claimsOf(row *models.RefreshToken) (refreshClaims, error) {
	claims := l.claims(string(row.Subject), row.CreatedAt)
	if !hmac.Equal(claims.Data, []byte(row.Data)) {
		return refreshClaims{}, fmt.Errorf("%w: the session's subject or data was changed", ErrInvalidToken)
	}
	return claims, nil
}

// unknownAuthTime is the auth_time of access tokens of a session that was taken over. Nobody knows when the user logged in. So it
// must not count as fresh.
const unknownAuthTime = 1

// authTime returns the auth_time of the access tokens of a row's session.
func (d sessionData) authTime(row *models.RefreshToken) int64 {
	if d.Legacy != "" {
		return unknownAuthTime
	}
	return row.CreatedAt
}

// findLegacy returns the row of a legacy token's session, or nil if it was not taken over. The row may be from before the secret was
// changed, so its id may be derived from any of the secrets.
func (s *Service) findLegacy(ctx context.Context, token string) (legacyToken, *models.RefreshToken, error) {
	ids := make([]models.Text, len(s.legacyKeys))
	for i, key := range s.legacyKeys {
		ids[i] = legacyToken{token, key}.id()
	}
	rows, err := s.store.FindAny(ctx, ids)
	if err != nil {
		return legacyToken{}, nil, err
	}
	for i, key := range s.legacyKeys {
		for j := range rows {
			if rows[j].ID == ids[i] {
				return legacyToken{token, key}, &rows[j], nil
			}
		}
	}
	return legacyToken{token, s.legacyKeys[0]}, nil, nil
}

// askLegacy asks the host whose a legacy token is. A refusal is one of our errors; any other error is none of them.
func (s *Service) askLegacy(ctx context.Context, token string) (string, error) {
	subject, err := s.config.Legacy(ctx, token)
	if err == nil && !jose.ValidSubject(subject) {
		err = errors.New(ErrInvalidSubject.Error())
	}
	if err == nil {
		return subject, nil
	}
	text := redact(err.Error(), token)
	for _, refusal := range []error{ErrInvalidToken, ErrExpired, ErrRevoked, ErrReused, ErrSubjectRefused} {
		if errors.Is(err, refusal) && text == refusal.Error() {
			return "", fmt.Errorf("%w: the Legacy callback refused it", refusal)
		}
		if errors.Is(err, refusal) {
			return "", fmt.Errorf("%w: the Legacy callback refused it: %s", refusal, text)
		}
	}
	// Its text alone if it has the token, which must not get into a log; or if it is an error of ours from another call of the host's.
	if text != err.Error() || isOurs(err) {
		return "", errors.New("legacy callback: " + text)
	}
	return "", fmt.Errorf("legacy callback: %w", err)
}

// redact takes a token out of a text, also where the text has it as part of a URL or in quotes.
func redact(text, token string) string {
	forms := []string{token, url.QueryEscape(token), url.PathEscape(token), fmt.Sprintf("%q", token)}
	for _, form := range slices.Compact(forms) {
		text = strings.ReplaceAll(text, form, "[token]")
	}
	return text
}
