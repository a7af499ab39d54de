package browsertest_test

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// freshness is how old a login may be for what can't be undone.
const freshness = 5 * time.Minute

// TestFlow is a user's whole story, from sign-up to the deletion of the account, with a second device.
func TestFlow(t *testing.T) {
	inEachMode(t, func(t *testing.T, m mode) {
		s := newSite(t)
		profile, first := newUser(t, s, m, ada)
		first.wantText("#user-name", "Ada Lovelace")
		first.wantText("#user-email", ada)
		first.awaitDevices(1)

		// A reload, a second tab and a refresh by hand.
		first.reload()
		first.awaitView("home")
		second := profile.open(s.origin + m.page)
		second.awaitView("home")
		second.close()
		s.forget()
		first.press("#refresh-now")
		waitFor(t, "the refresh", func() bool { return len(s.seen(m.refresh())) == 1 })

		// A second device signs in, once it has the password right. The first device ends its session.
		other := newProfile(t).open(s.origin + m.page)
		other.trySignIn(ada, "wrong horse 1")
		other.awaitMessage("incorrect email or password")
		other.signIn(ada)
		other.awaitDevices(2)
		first.reload()
		first.awaitDevices(2)
		first.press("#devices li:not([data-current=true]) .end-session")
		first.awaitDevices(1)
		other.press("#refresh-now")
		other.awaitView("sign-in")
		other.awaitMessage("ended")

		// The other device comes back, with a friend, and both are logged out at once.
		other.signIn(ada)
		third := newProfile(t).open(s.origin + m.page)
		third.awaitView("sign-in")
		third.press("#sign-in-remember")
		third.signIn(ada)
		if life := third.life(s, m); life > 8*time.Hour {
			t.Errorf("a session that is not to be remembered lasts %v", life)
		}
		first.reload()
		first.awaitDevices(3)
		first.press("#log-out-others")
		first.awaitDevices(1)
		for _, ended := range []*tab{other, third} {
			ended.press("#refresh-now")
			ended.awaitView("sign-in")
		}

		// This device ends its own session from the list, and then by the button.
		first.press("#devices li[data-current=true] .end-session")
		first.awaitView("sign-in")
		first.signIn(ada)
		first.press("#log-out")
		first.awaitView("sign-in")
		first.awaitMessage("signed out")
		first.reload()
		first.awaitView("sign-in")
		if n := s.sessions(); n != 0 {
			t.Errorf("after the log-out, %d sessions live", n)
		}

		// The account can be deleted only once the password was given again.
		first.signIn(ada)
		first.age(s, m, 2*freshness)
		first.reload()
		first.awaitView("home")
		first.press("#delete-account")
		first.waitUntil(`document.querySelector("#step-up").open`)
		first.fill("#step-up-password", "wrong horse 1")
		first.press("#step-up [type=submit]")
		first.waitUntil(`/incorrect/i.test(document.querySelector("#step-up").textContent + document.querySelector("#message").textContent)`)
		first.fill("#step-up-password", password)
		first.press("#step-up [type=submit]")
		first.awaitView("sign-in")
		first.trySignIn(ada, password)
		first.awaitMessage("incorrect email or password")
		first.noProblems()
	})
}

// TestAdmin has an administrator act for a user, and ban one.
func TestAdmin(t *testing.T) {
	inEachMode(t, func(t *testing.T, m mode) {
		const admin = "admin@example.com"
		s := newSite(t, "ADMIN_EMAIL="+admin)
		_, user := newUser(t, s, m, ada)
		if evaluate[bool](user, `document.querySelector("#admin").checkVisibility()`) {
			t.Error("a user sees what is for administrators")
		}
		_, tab := newUser(t, s, m, admin)
		tab.waitUntil(`document.querySelector("#admin").checkVisibility()`)
		row := userRow(tab, ada)
		tab.press(row + " .impersonate")
		tab.waitUntil(`document.querySelector("#impersonation").checkVisibility()`)
		tab.wantText("#user-email", ada)
		if evaluate[bool](tab, `document.querySelector("#admin").checkVisibility()`) {
			t.Error("an administrator who acts for a user sees what is for administrators")
		}
		tab.reload()
		tab.waitUntil(`document.querySelector("#impersonation").checkVisibility()`)
		user.reload()
		user.awaitDevices(2) // the user sees it
		tab.press("#stop-impersonating")
		tab.awaitView("sign-in")
		user.reload()
		user.awaitDevices(1)

		tab.signIn(admin)
		tab.press(row + " .ban")
		waitFor(t, "the ban", func() bool { return s.sessions() == 0 })
		user.press("#refresh-now")
		user.awaitView("sign-in")
		user.awaitMessage("ended")
		user.trySignIn(ada, password)
		user.awaitMessage("incorrect email or password")
		tab.noProblems()
		user.noProblems()
	})
}

// userRow returns a selector for a user's row in the administrator's list.
func userRow(tab *tab, email string) string {
	tab.t.Helper()
	find := `[...document.querySelectorAll("tr[data-user-id]")].find(row => row.textContent.includes("` + email + `"))`
	tab.waitUntil(find)
	return `tr[data-user-id="` + evaluate[string](tab, find+`.dataset.userId`) + `"]`
}

func (tab *tab) wantText(selector, want string) {
	tab.t.Helper()
	tab.do("wait for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
	if got := evaluate[string](tab, `document.querySelector("`+selector+`").textContent.trim()`); got != want {
		tab.t.Errorf("%s says %q, want %q", selector, got, want)
	}
}
