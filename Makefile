GOLANGCI_LINT_VERSION := v2.15.0
GOVULNCHECK_VERSION := v1.9.0
MATRIX ?= pairs
FUZZTIME ?= 10s
SOAK ?= 5m
BIN := $(CURDIR)/.bin

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## serve the example app on SQLite
	go run ./example_app

.PHONY: test
test: ## run the tests; also on PostgreSQL and MariaDB if their DSNs are set
	go test ./...

.PHONY: test-all
test-all: ## run the tests with the race detector on every database; fails if a DSN is not set
	@test -n "$$REFRESHTOKENS_POSTGRES_DSN" || { echo 'REFRESHTOKENS_POSTGRES_DSN is not set'; exit 1; }
	@test -n "$$REFRESHTOKENS_MYSQL_DSN" || { echo 'REFRESHTOKENS_MYSQL_DSN is not set'; exit 1; }
	go test -race ./...

.PHONY: test-matrix
test-matrix: ## run the conformance tests on more engines with more GORM settings (MATRIX=all: every pair); with npm, on PostgreSQL 18 too
	REFRESHTOKENS_MATRIX=$(MATRIX) bash .ci/postgres18 go test -p 2 -timeout 20m . ./internal/conformance ./internal/store ./models ./plugin

.PHONY: test-chaos
test-chaos: ## kill the app, its connections and its database while devices refresh; let thousands come back at once
	REFRESHTOKENS_CHAOS=1 go test -race -v -count 1 -timeout 10m ./internal/chaos

.PHONY: test-herd
test-herd: ## cut 100,000 clients off for five minutes, and let all of them come back
	REFRESHTOKENS_CHAOS=1 REFRESHTOKENS_HERD=100000 REFRESHTOKENS_OUTAGE=300 go test -v -count 1 -timeout 40m -run Herd ./internal/chaos

.PHONY: test-soak
test-soak: ## for SOAK (5m), have users log in, refresh, get robbed and log out while keys change, and look for leaks
	REFRESHTOKENS_SOAK=$(SOAK) go test -v -count 1 -timeout 24h ./internal/soak

.PHONY: test-galera
test-galera: ## refresh on three MariaDB nodes and kill one; needs galera-4, rsync and root
	REFRESHTOKENS_GALERA=1 go test -v -count 1 -timeout 10m -run Galera ./internal/chaos

.PHONY: test-clients
test-clients: ## run clients from npm against the example app: axios, jose, React, Next.js and others; needs node and npm
	bash .ci/clients

.PHONY: test-interop
test-interop: ## run libraries and vectors of others against tokens of the module's, and the other way round
	cd internal/interop && go test -count 1 ./...

.PHONY: test-openapi
test-openapi: ## check docs/openapi.yaml against the requests and answers of the conformance tests
	cd internal/openapi && go test -count 1 ./...

.PHONY: test-browser
test-browser: ## drive the example app's page in Chromium; with npm, look for barriers with axe-core too
	cd internal/browsertest && REFRESHTOKENS_BROWSER=1 go test -count 1 -timeout 10m -parallel 3 ./... # one test waits for two minutes

.PHONY: screenshots
screenshots: ## write the pictures of the page in docs/ anew
	cd internal/browsertest && REFRESHTOKENS_BROWSER=1 REFRESHTOKENS_SCREENSHOTS=1 go test -count 1 -v -run Screenshots ./...
.PHONY: test-shards
test-shards: ## test on PostgreSQL and MariaDB that are spread over shards; needs mariadb-plugin-spider (SHORT=-short: fewer tests)
	REFRESHTOKENS_SHARDS=1 go test $(SHORT) -v -count 1 -timeout 10m ./internal/shards

.PHONY: bench-shards
bench-shards: ## count refreshes on 1, 2 and 4 shards, each held to a share of a CPU; needs root
	REFRESHTOKENS_SHARDS=1 go test -run '^$$' -bench Refreshes -benchtime 10s -timeout 20m ./internal/shards

.PHONY: test-moving
test-moving: ## move apps here from gin-jwt, node-express-boilerplate, Supabase Auth and a table of hashes, with users logged in
	bash .ci/moving

.PHONY: model
model: ## have Spin check the model of a refresh, and find each rule that is broken; needs spin and cc
	REFRESHTOKENS_MODEL=1 go test -v -count 1 -timeout 15m -parallel 2 ./internal/model

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (10s)
	go test -run '^$$' -fuzz '^FuzzBody$$' -fuzztime $(FUZZTIME) ./internal/conformance
	go test -run '^$$' -fuzz '^FuzzPick$$' -fuzztime $(FUZZTIME) ./internal/strictjson
	go test -run '^$$' -fuzz '^FuzzVerify$$' -fuzztime $(FUZZTIME) ./plugin
	go test -run '^$$' -fuzz '^FuzzAuthorization$$' -fuzztime $(FUZZTIME) ./middleware
	go test -run '^$$' -fuzz '^FuzzCheck$$' -fuzztime $(FUZZTIME) ./internal/proof
	go test -run '^$$' -fuzz '^FuzzHeaders$$' -fuzztime $(FUZZTIME) ./internal/dbsc

ROUNDS ?= 5
DURATION ?= 3s
ROWS ?= 10000000

.PHONY: bench
bench: ## measure against floors and other modules; writes docs/benchmarks.md; ONLY=part,part for some (needs both DSNs and redis-server)
	cd internal/bench && go run . -rounds $(ROUNDS) -duration $(DURATION) -rows $(ROWS) -only '$(ONLY)'

.PHONY: microbench
microbench: ## run the Go benchmarks, for benchstat
	go test -run '^$$' -bench . -count 6 ./...

.PHONY: lint
lint: $(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION) ## check formatting, vet and lint
	$< fmt --diff
	go vet ./...
	$< run ./...
	cd internal/bench && go vet ./...
	cd internal/interop && go vet ./...
	cd internal/openapi && go vet ./...
	cd internal/moving && go vet ./... && $< run ./...
	cd internal/clients && go vet ./tokenfile/...
	cd internal/browsertest && go vet ./...
	cd internal/licences && go vet ./...

$(BIN)/golangci-lint-$(GOLANGCI_LINT_VERSION):
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	mv $(BIN)/golangci-lint $@

.PHONY: vuln
vuln: ## look for known vulnerabilities in the code that is called
	go run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

.PHONY: licences
licences: ## look for licences of dependencies that ask for more than their text to be kept
	cd internal/licences && go test -count 1 ./...

.PHONY: api
api: ## compare the public API with that of the last release
	bash .ci/api

.PHONY: host
host: ## build and run the README's complete host as a module of its own, with cgo and without
	bash .ci/host

.PHONY: readme
readme: ## run the README's curl lines against the example app
	bash .ci/readme

.PHONY: ci
ci: ## run every check that a change must pass
	bash .ci/run
