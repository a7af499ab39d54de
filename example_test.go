package refreshtokens_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/middleware"
	"github.com/seed-2f82c0fd/refreshtokens/models"
)

func newRouter(db *gorm.DB, secret []byte) (*gin.Engine, error) {
	if err := db.AutoMigrate(models.All()...); err != nil { // the host migrates
		return nil, err
	}
	auth, err := refreshtokens.New(refreshtokens.Config{DB: db, Secret: secret})
	if err != nil {
		return nil, err
	}

	router := gin.Default()
	auth.Register(router.Group("/v1")) // POST /v1/auth/refresh-tokens, …
	router.GET("/v1/me", auth.RequireAuth(), func(c *gin.Context) {
		c.JSON(http.StatusOK, gin.H{"id": middleware.Subject(c)})
	})
	router.POST("/v1/login", func(c *gin.Context) {
		userID := "42" // once your own code has checked the password
		tokens, err := auth.Issue(c.Request.Context(), userID, refreshtokens.DeviceOf(c))
		if err != nil {
			c.AbortWithStatus(http.StatusInternalServerError)
			return
		}
		c.JSON(http.StatusOK, tokens)
	})
	return router, nil
}

func Example() {
	gin.SetMode(gin.TestMode)
	gin.DefaultWriter = nopWriter{}
	dir, err := os.MkdirTemp("", "refreshtokens")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	db, err := gorm.Open(sqlite.Open(filepath.Join(dir, "app.db")), &gorm.Config{})
	if err != nil {
		panic(err)
	}
	router, err := newRouter(db, []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		panic(err)
	}

	request := httptest.NewRequest(http.MethodPost, "/v1/login", http.NoBody)
	login := httptest.NewRecorder()
	router.ServeHTTP(login, request)
	fmt.Println("login:", login.Code, strings.Contains(login.Body.String(), `"refresh":{"token":"`))

	request = httptest.NewRequest(http.MethodPost, "/v1/auth/refresh-tokens", strings.NewReader(`{"refreshToken":"x"}`))
	request.Header.Set("Content-Type", "application/json")
	refresh := httptest.NewRecorder()
	router.ServeHTTP(refresh, request)
	fmt.Println("refresh:", refresh.Code, refresh.Body)

	// Output:
	// login: 200 true
	// refresh: 401 {"code":401,"message":"Please Authenticate"}
}

type nopWriter struct{}

func (nopWriter) Write(p []byte) (int, error) { return len(p), nil }

// TestREADMEListing: the README's first listing is the function that Example runs.
func TestREADMEListing(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, listing, _ := strings.Cut(string(readme), "```go\n")
	listing, _, _ = strings.Cut(listing, "```")
	function := func(text string) string {
		_, after, _ := strings.Cut(text, "\nfunc newRouter(")
		body, _, _ := strings.Cut(after, "\n}\n")
		return body
	}
	if function(string(source)) == "" || function(listing) != function(string(source)) {
		t.Errorf("newRouter in the README's first listing differs from the one here:\n%s", function(listing))
	}
}
