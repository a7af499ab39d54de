// Command whoami prints the user of a token file.
package main

import (
	"context"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/seed-2f82c0fd/refreshtokens/internal/clients/tokenfile"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: whoami FILE BASE_URL")
	}
	if err := whoami(context.Background(), tokenfile.File(os.Args[1]), os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func whoami(ctx context.Context, file tokenfile.File, baseURL string) error {
	token, err := file.AccessToken(ctx, baseURL)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, baseURL+"/users/me", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
