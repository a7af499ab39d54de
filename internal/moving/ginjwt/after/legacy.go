package after

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/appleboy/gin-jwt/v3/core"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

// FromRedis asks gin-jwt's Redis store. It takes no token from the instant until on.
func FromRedis(redis core.TokenStore, until time.Time) Legacy {
	return func(ctx context.Context, token string) (string, error) {
		if !time.Now().Before(until) {
			return "", plugin.ErrInvalidToken
		}
		data, err := redis.Get(ctx, token)
		if errors.Is(err, core.ErrRefreshTokenNotFound) || errors.Is(err, core.ErrRefreshTokenExpired) {
			return "", plugin.ErrInvalidToken
		}
		if err != nil {
			return "", err
		}
		// What the Authenticator returned has been JSON: a struct is a map, and a number a float64.
		user, _ := data.(map[string]any)
		id, ok := user["id"].(string)
		if !ok {
			return "", fmt.Errorf("gin-jwt's store has a %T without an id", data)
		}
		return id, nil
	}
}
