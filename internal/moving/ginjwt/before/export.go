package before

import (
	"fmt"

	"github.com/appleboy/gin-jwt/v3/store"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens/internal/moving/oldtokens"
)

// Export copies the refresh tokens that gin-jwt has in memory. Call it after http.Server.Shutdown, before the process exits.
func Export(db *gorm.DB, memory *store.InMemoryRefreshTokenStore) error {
	var old []oldtokens.OldToken
	for token, data := range memory.GetAll() {
		user, ok := data.UserData.(*User) // what the Authenticator returned
		if !ok {
			return fmt.Errorf("gin-jwt's store has a %T", data.UserData)
		}
		old = append(old, oldtokens.New(token, user.ID, data.Expiry))
	}
	return oldtokens.Add(db, old)
}
