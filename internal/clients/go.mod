module github.com/seed-2f82c0fd/refreshtokens/internal/clients

go 1.26.0

require github.com/gofrs/flock v0.13.2

require golang.org/x/sys v0.49.0 // indirect
