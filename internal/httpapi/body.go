package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/strictjson"
)

// maxBody is the most, in bytes, that a request body may have.
const maxBody = 8 << 10

// RefreshToken reads a body of the form {"refreshToken":"…"}.
func RefreshToken(c *gin.Context) (string, error) {
	body, err := readBody(c)
	if err != nil {
		return "", err
	}
	var value [1][]byte
	if err := strictjson.Pick(body, []string{"refreshToken"}, value[:]); err != nil {
		return "", BadRequest{
			Status:  http.StatusBadRequest,
			Message: `The body must be one JSON object that has "refreshToken" once`,
		}
	}
	token, ok := strictjson.String(value[0])
	if !ok || token == "" {
		return "", BadRequest{Status: http.StatusBadRequest, Message: `"refreshToken" must be a non-empty string`}
	}
	return token, nil
}

// readBody returns a JSON body of at most maxBody bytes.
func readBody(c *gin.Context) ([]byte, error) {
	request := c.Request
	if request.Body == nil { // not from a server, which never leaves it out
		request.Body = http.NoBody
	}
	header := request.Header.Get("Content-Type")
	if mediaType, _, err := mime.ParseMediaType(header); (err != nil || mediaType != "application/json") && (header != "" || request.ContentLength != 0) {
		return nil, refuseUnread(c, http.StatusUnsupportedMediaType, "Content-Type must be application/json")
	}
	// ShouldBindBodyWith, in a middleware of the host's, leaves the body here.
	if read, ok := c.Get(gin.BodyBytesKey); ok {
		if body, ok := read.([]byte); ok {
			if len(body) > maxBody {
				return nil, refuseUnread(c, http.StatusRequestEntityTooLarge, bodyTooLarge)
			}
			return body, nil
		}
	}
	if request.ContentLength > maxBody { // before a read would send "100 Continue"
		return nil, refuseUnread(c, http.StatusRequestEntityTooLarge, bodyTooLarge)
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, request.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, refuseUnread(c, http.StatusRequestEntityTooLarge, bodyTooLarge)
	}
	if err != nil {
		return nil, BadRequest{Status: http.StatusBadRequest, Message: `The body with "refreshToken" ended early`}
	}
	return body, nil
}

const bodyTooLarge = "The body may have 8 KiB at most"

// refuseUnread refuses a body that was not read to its end. It closes the connection after the answer: net/http would
// wait for the rest of the body first.
func refuseUnread(c *gin.Context, status int, message string) error {
	c.Header("Connection", "close")
	return BadRequest{Status: status, Message: message}
}
