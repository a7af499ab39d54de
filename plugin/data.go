package plugin

import (
	"encoding/json"
	"fmt"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// maxData is the most, in bytes, that a session's data may have as JSON.
const maxData = 1 << 10

// maxEncodedData is the width of the data column, in bytes: the data, and a device's name in which JSON escapes each character.
const maxEncodedData = 1536

// sessionData is what a session carries of its own. As JSON it is in the row and in the refresh token. The claims stay
// unparsed, so that they are the same in every token: a large number would lose digits.
type sessionData struct {
	Device string                     `json:"device,omitempty"`
	Claims map[string]json.RawMessage `json:"claims,omitempty"`
	Legacy string                     `json:"legacy,omitempty"` // of a session that was taken over; see legacyData
}

// encodeData returns nothing where there is nothing. The error is [ErrInvalidClaims].
func encodeData(device string, data map[string]any) (json.RawMessage, error) {
	if device == "" && len(data) == 0 {
		return nil, nil
	}
	if err := jose.Check(data); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	claims, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	if len(claims) > maxData {
		return nil, fmt.Errorf("%w: the session's data has %d bytes and may have %d", ErrInvalidClaims, len(claims), maxData)
	}
	encoded := sessionData{Device: device}
	if err := json.Unmarshal(claims, &encoded.Claims); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	return json.Marshal(encoded)
}

// decodeData reads what encodeData wrote. Anything else counts as no data: we wrote the row, or signed the token.
func decodeData(text models.Text) sessionData {
	var data sessionData
	if text != "" {
		_ = json.Unmarshal([]byte(text), &data)
	}
	return data
}

// claims returns the data as claims of an access token; nil where there is none.
func (d sessionData) claims() map[string]any {
	if len(d.Claims) == 0 {
		return nil
	}
	claims := make(map[string]any, len(d.Claims))
	for name, raw := range d.Claims {
		claims[name] = raw
	}
	return claims
}

// values returns the data as encoding/json decodes it; nil where there is none.
func (d sessionData) values() map[string]any {
	if len(d.Claims) == 0 {
		return nil
	}
	values := make(map[string]any, len(d.Claims))
	for name, raw := range d.Claims {
		var value any
		_ = json.Unmarshal(raw, &value) // it was valid in the whole
		values[name] = value
	}
	return values
}
