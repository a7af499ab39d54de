package main

import (
	"context"

	"github.com/seed-2f82c0fd/refreshtokens/plugin"
	"github.com/seed-2f82c0fd/refreshtokens/plugin/token"
)

// claims is the library's Claims callback: it is asked at every login and refresh. It puts the user's present role into the
// access token. It refuses users that are gone or banned, and impersonations that have lost their ground.
func (a *app) claims(ctx context.Context, session plugin.Session) (map[string]any, error) {
	u, err := findUser(a.dbOf(ctx), "id = ?", session.Subject)
	if err != nil {
		return nil, err
	}
	if u == nil || u.Banned {
		return nil, plugin.ErrSubjectRefused
	}
	if act, impersonated := session.Data["act"]; impersonated {
		admin, err := findUser(a.dbOf(ctx), "id = ?", subjectOf(act))
		if err != nil {
			return nil, err
		}
		if !admin.isAdmin() || u.isAdmin() {
			return nil, plugin.ErrSubjectRefused
		}
	}
	return map[string]any{"role": u.Role}, nil
}

// actedBy is the data of a session in which the admin acts for the user (RFC 8693 §4.1).
func actedBy(adminID string) map[string]any {
	return map[string]any{"act": map[string]any{"sub": adminID}}
}

// subjectOf returns the admin's id in what actedBy made.
func subjectOf(act any) string {
	claim, _ := act.(map[string]any)
	id, _ := claim["sub"].(string)
	return id
}

// isSelf tells whether an access token is the user's own, and not of an admin who impersonates the user.
func isSelf(claims token.Claims) bool {
	var got struct {
		Act any `json:"act"`
	}
	return claims.Decode(&got) == nil && got.Act == nil
}

// isAdmin tells whether the user of an access token was an admin at the last refresh.
func isAdmin(claims token.Claims) bool {
	var got struct {
		Role string `json:"role"`
	}
	return claims.Decode(&got) == nil && got.Role == roleAdmin
}
