package plugin

import (
	"encoding/json"
	"fmt"

	"github.com/seed-2f82c0fd/refreshtokens/internal/jose"
	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

// maxData is the most, in bytes, that a session's data may have as JSON.
const maxData = 1 << 10

// maxEncodedData is the width of the data column, in bytes: the data, and a device's name in which JSON escapes each character.
const maxEncodedData = 1536

// sessionData is what a session carries of its own. As JSON it is in the row and in the refresh token. The claims stay an unparsed
// object, so that they are the same in every token: a large number would lose digits.
type sessionData struct {
	Device string          `json:"device,omitempty"`
	Claims json.RawMessage `json:"claims,omitempty"`
	Legacy string          `json:"legacy,omitempty"` // of a session that was taken over; see legacyToken.data
}

// encodeData returns nothing where there is nothing. The error is [ErrInvalidClaims].
func encodeData(device string, data map[string]any) (json.RawMessage, error) {
	if device == "" && len(data) == 0 {
		return nil, nil
	}
	encoded := sessionData{Device: device}
	if len(data) > 0 {
		if err := jose.Check(data); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
		}
		var err error
		if encoded.Claims, err = json.Marshal(data); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidClaims, err)
		}
		if len(encoded.Claims) > maxData {
			return nil, fmt.Errorf("%w: the session's data has %d bytes and may have %d", ErrInvalidClaims, len(encoded.Claims), maxData)
		}
	}
	return json.Marshal(encoded)
}

// The members of a session's data, in the order of dataNames.
const (
	dataDevice = iota
	dataClaims
	dataLegacy
	dataCount
)

var dataNames = []string{dataDevice: "device", dataClaims: "claims", dataLegacy: "legacy"}

// decodeData reads what encodeData wrote. Anything else counts as no data: we wrote the row, or signed the token. Each refresh decodes
// more than once, so encoding/json would be too slow.
func decodeData(text models.Text) (data sessionData) {
	if text == "" {
		return data
	}
	var values [dataCount][]byte
	if err := strictjson.Pick([]byte(text), dataNames, values[:]); err != nil {
		return data
	}
	data.Device, _ = strictjson.String(values[dataDevice])
	data.Legacy, _ = strictjson.String(values[dataLegacy])
	if claims := values[dataClaims]; len(claims) > 0 && claims[0] == '{' {
		data.Claims = claims
	}
	return data
}

// raw returns the data as claims of an access token, each unparsed; nil where there is none.
func (d sessionData) raw() map[string]any {
	var members map[string]json.RawMessage
	if len(d.Claims) == 0 || json.Unmarshal(d.Claims, &members) != nil {
		return nil
	}
	claims := make(map[string]any, len(members))
	for name, value := range members {
		claims[name] = value
	}
	return claims
}

// values returns the data as encoding/json decodes it; nil where there is none.
func (d sessionData) values() (values map[string]any) {
	if len(d.Claims) > 0 {
		_ = json.Unmarshal(d.Claims, &values) // it was valid in the whole
	}
	return values
}
