module github.com/seed-2f82c0fd/refreshtokens/internal/licences

go 1.26

require github.com/google/licensecheck v0.3.1
