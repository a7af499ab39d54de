package jose

import (
	"bytes"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"math/big"
)

// sizeP256 is the size of r and of s, in bytes.
const sizeP256 = 32

// orderP256 is n, and halfP256 is n/2, rounded down; as a number and as bytes.
var (
	orderP256 = elliptic.P256().Params().N
	halfP256  = new(big.Int).Rsh(orderP256, 1)
	halfBytes = halfP256.FillBytes(make([]byte, sizeP256))
)

// isHigh tells whether a signature is the higher of two: (r, n-s) is as good as (r, s), and anybody can compute one from the other.
// Only the lower one is minted and accepted, so that nobody can make a second token out of one.
func isHigh(signature []byte) bool {
	return bytes.Compare(signature[sizeP256:], halfBytes) > 0
}

// encodeES256 turns the ASN.1 that a crypto.Signer returns into the lower r and s of RFC 7518 §3.4.
func encodeES256(der []byte) ([]byte, error) {
	var value struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &value)
	if err != nil || len(rest) > 0 {
		return nil, errors.New("the key returned an ECDSA signature that is not in ASN.1")
	}
	for _, n := range []*big.Int{value.R, value.S} {
		if n.Sign() <= 0 || n.Cmp(orderP256) >= 0 {
			return nil, errors.New("the key returned an ECDSA signature that is out of range")
		}
	}
	if value.S.Cmp(halfP256) > 0 {
		value.S.Sub(orderP256, value.S)
	}
	signature := make([]byte, 2*sizeP256)
	value.R.FillBytes(signature[:sizeP256])
	value.S.FillBytes(signature[sizeP256:])
	return signature, nil
}
