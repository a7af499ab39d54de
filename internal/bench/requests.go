package main

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed-2f82c0fd/refreshtokens"
	"github.com/seed-2f82c0fd/refreshtokens/plugin"
)

const (
	refreshPath   = "/auth/refresh-tokens"
	refreshMark   = `"refresh":{"token":"` // the text before the refresh token in an answer of this module
	refreshCookie = "__Secure-refresh-token"
)

func bodyOf(field, token string) []byte { return []byte(`{"` + field + `":"` + token + `"}`) }

// between returns the text between two marks in an answer.
func between(answer []byte, before, after string) string {
	_, rest, ok := bytes.Cut(answer, []byte(before))
	value, _, ok2 := bytes.Cut(rest, []byte(after))
	if !ok || !ok2 {
		panic(fmt.Sprintf("no %s in %s", before, answer))
	}
	return string(value)
}

// rotated returns the token in an answer. It panics if that is the presented token, because a repeat must not be measured as a
// rotation.
func rotated(answer []byte, mark, presented string) string {
	token := between(answer, mark, `"`)
	if token == presented {
		panic("a refresh repeated a token that it should have rotated")
	}
	return token
}

// again presents the same refresh token every time. It panics if the answer has another one.
func again(path, field, token, mark string) request {
	return func(last *answer) call {
		if last != nil && between(last.body, mark, `"`) != token {
			panic("a refresh rotated a token that it should have repeated")
		}
		return call{path: path, body: bodyOf(field, token)}
	}
}

// chain presents the refresh token of the answer before, so that each request rotates. If mark is empty, it presents the first
// token every time.
func chain(path, field, token, mark string) request {
	return func(last *answer) call {
		if last != nil && mark != "" {
			token = rotated(last.body, mark, token)
		}
		return call{path: path, body: bodyOf(field, token)}
	}
}

// chains gives each client a chain of tokens of its own.
func chains(mint func() string, path, field, mark string) func() []request {
	return chainsFor(clients, mint, path, field, mark)
}

func chainsFor(clients int, mint func() string, path, field, mark string) func() []request {
	return func() []request {
		all := make([]request, clients)
		for i := range all {
			all[i] = chain(path, field, mint(), mark)
		}
		return all
	}
}

// repeats gives each client a live token of its own. It refreshes once first, because the first token after a login always
// rotates.
func repeats(auth *refreshtokens.Plugin) func() []request {
	mint := mintOurs(auth)
	return func() []request {
		all := make([]request, clients)
		for i := range all {
			tokens := must(auth.Refresh(context.Background(), mint(), plugin.Device{}))
			all[i] = again(refreshPath, "refreshToken", tokens.Refresh.Token, refreshMark)
		}
		return all
	}
}

// drawn makes each client take a token from the head of the queue and present it. Then the client puts the token of the answer
// at the end of the queue. If mark is empty, it puts the same token back.
func drawn(queue chan string, path, mark string) []request {
	requests := make([]request, clients)
	for i := range requests {
		var token string
		requests[i] = func(last *answer) call {
			if last != nil {
				if mark != "" {
					token = rotated(last.body, mark, token)
				}
				queue <- token
			}
			token = <-queue
			return call{path: path, body: bodyOf("refreshToken", token)}
		}
	}
	return requests
}

func mintOurs(auth *refreshtokens.Plugin, options ...plugin.SessionOption) func() string {
	return func() string {
		return must(auth.Issue(context.Background(), subject, plugin.Device{}, options...)).Refresh.Token
	}
}

func mintFloor(e *engine) func() string {
	return func() string {
		id := newID()
		if err := e.floor.insert(context.Background(), id, subject, time.Now().Unix(), time.Now().Unix()+3600); err != nil {
			log.Fatal(err)
		}
		return id
	}
}
