package httpapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/seed-2f82c0fd/refreshtokens/internal/maxlength"
)

// maxCookie is the most bytes that a cookie may have. A browser drops a larger one in silence. RFC 6265 §6.1 counts name,
// value and attributes.
const maxCookie = 4096

// longestAge is as long as any Max-Age in digits, for the size of a cookie.
const longestAge = 1<<31 - 1

// Cookies carries the tokens of a route group in cookies.
type Cookies struct {
	TrustedOrigins []string // with the origin of the BaseURL

	refresh, access http.Cookie // without values
	origins         *http.CrossOriginProtection
	limits          maxlength.Limits // of a path without parameters
	prefix          string           // what a proxy takes off the path
	parameters      bool             // the path has Gin's
	local           bool             // plain http on this machine, for development
}

// CookieSettings are what [NewCookies] needs.
type CookieSettings struct {
	BaseURL        string
	Name           string
	AccessToken    bool
	TrustedOrigins []string
	Path           string // of the routes; may have Gin's parameters
}

var cookieName = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)

// NewCookies checks the settings. The error says what to do.
func NewCookies(settings CookieSettings) (*Cookies, error) {
	if !cookieName.MatchString(settings.Name) {
		return nil, fmt.Errorf("the Name %q must be at most 64 letters, digits, hyphens and underscores", settings.Name)
	}
	c := &Cookies{TrustedOrigins: settings.TrustedOrigins}
	if settings.BaseURL != "" {
		base, err := url.Parse(settings.BaseURL)
		if err != nil || base.Host == "" || base.User != nil || base.RawQuery != "" || base.Fragment != "" || strings.ContainsAny(base.EscapedPath(), ";,") {
			return nil, fmt.Errorf(`the BaseURL %q must be a URL like "https://example.com" or "https://example.com/api"`, settings.BaseURL)
		}
		c.local = base.Scheme == "http"
		if base.Scheme != "https" && (!c.local || !isLoopback(base.Hostname())) {
			return nil, fmt.Errorf("the BaseURL %q must be https, or http://localhost for development: anyone on the way can read a cookie over plain http", settings.BaseURL)
		}
		c.prefix = strings.TrimSuffix(base.EscapedPath(), "/")
		c.TrustedOrigins = append([]string{base.Scheme + "://" + strings.ToLower(base.Host)}, c.TrustedOrigins...)
	}
	var err error
	if c.origins, err = NewCrossOriginProtection(c.TrustedOrigins); err != nil {
		return nil, err
	}
	name := ""
	if settings.Name != "" {
		name = settings.Name + "-"
	}
	// A cookie with such a prefix is dropped by the browser unless it is Secure. __Host- also keeps other subdomains from
	// setting it (RFC 6265bis §4.1.3), but needs the path "/", which the refresh token must not travel on.
	securePrefix, hostPrefix := "__Secure-", "__Host-"
	if c.local { // not every browser takes Secure cookies from http://localhost
		securePrefix, hostPrefix = "", ""
	}
	c.refresh = http.Cookie{ //nolint:gosec // Secure but for development on this machine
		Name: securePrefix + name + "refresh-token", Path: settings.Path,
		HttpOnly: true, Secure: !c.local, SameSite: http.SameSiteStrictMode,
	}
	if settings.AccessToken {
		c.access = http.Cookie{ //nolint:gosec // Secure but for development on this machine
			Name: hostPrefix + name + "access-token", Path: "/",
			HttpOnly: true, Secure: !c.local, SameSite: http.SameSiteLaxMode,
		}
	}
	c.parameters = strings.ContainsAny(settings.Path, ":*")
	c.limits = c.limitsAt(c.prefix + settings.Path)
	return c, nil
}

// NewCrossOriginProtection returns a CSRF protection that trusts the origins too. The error says which one is wrong.
func NewCrossOriginProtection(trustedOrigins []string) (*http.CrossOriginProtection, error) {
	protection := http.NewCrossOriginProtection()
	for _, origin := range trustedOrigins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			return nil, fmt.Errorf(`the trusted origin %q must be like "https://app.example.com": %w`, origin, err)
		}
	}
	return protection, nil
}

// AccessName returns the name of the access token's cookie, or "" where it is in none.
func (c *Cookies) AccessName() string { return c.access.Name }

// errNotLocal is a mistake of the host's configuration.
var errNotLocal = errors.New(`the BaseURL of the Cookies is for development on this machine, and the request is from elsewhere: set it to the https URL that browsers use`)

// Check returns an error for a request that another site may have made: [ErrForbidden]. Where the cookies are for
// development, it also returns an error for a request that is not from this machine.
func (c *Cookies) Check(request *http.Request) error {
	if c.local && !isLocal(request) {
		return errNotLocal
	}
	return CheckOrigin(c.origins, request)
}

// CheckOrigin returns [ErrForbidden] for an unsafe request that another site may have made.
func CheckOrigin(origins *http.CrossOriginProtection, request *http.Request) error {
	if err := origins.Check(request); err != nil {
		return fmt.Errorf("%w: %w", ErrForbidden, err)
	}
	return nil
}

// isLocal tells whether a browser on this machine made the request, as far as the request says. A proxy in front of an app in
// production may call the app by a local name. But it passes on the Origin, or says that the request came by https.
func isLocal(request *http.Request) bool {
	host := request.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if !isLoopback(strings.Trim(host, "[]")) || request.Header.Get("X-Forwarded-Proto") == "https" {
		return false
	}
	origin := request.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return true // not a browser, or no page of ours: the check of the origin decides
	}
	from, err := url.Parse(origin)
	return err == nil && isLoopback(from.Hostname())
}

func isLoopback(host string) bool {
	host = strings.ToLower(host)
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip.IsLoopback()
}

// RefreshToken returns the refresh token in a request's cookie.
func (c *Cookies) RefreshToken(request *http.Request) (string, error) {
	return CookieToken(request, c.refresh.Name)
}

// CookieToken returns the token in the cookie of that name: [ErrNoToken] where there is none, [ErrInvalidToken] where there is
// more than one, because one of them is somebody else's doing.
func CookieToken(request *http.Request, name string) (string, error) {
	switch cookies := request.CookiesNamed(name); {
	case len(cookies) == 0 || len(cookies) == 1 && cookies[0].Value == "":
		return "", ErrNoToken
	case len(cookies) > 1:
		return "", fmt.Errorf("%w: more than one cookie %s", ErrInvalidToken, name)
	default:
		return cookies[0].Value, nil
	}
}

// Limits returns how long the tokens may be that the cookies have room for.
func (c *Cookies) Limits(gc *gin.Context) maxlength.Limits {
	if !c.parameters {
		return c.limits
	}
	return c.limitsAt(c.path(gc))
}

func (c *Cookies) limitsAt(path string) maxlength.Limits {
	limits := maxlength.Limits{Refresh: room(c.refresh, path)}
	if c.access.Name != "" {
		limits.Access = room(c.access, c.access.Path)
	}
	return limits
}

func room(cookie http.Cookie, path string) int { //nolint:gosec // nothing is set
	cookie.Path, cookie.MaxAge = path, longestAge
	return maxCookie - len(cookie.String())
}

// SetRefresh sets the cookie of a refresh token, which lives for so many seconds.
func (c *Cookies) SetRefresh(gc *gin.Context, token string, life int64) {
	set(gc, c.refresh, c.path(gc), token, life)
}

// SetAccess sets the cookie of an access token, which lives for so many seconds.
func (c *Cookies) SetAccess(gc *gin.Context, token string, life int64) {
	set(gc, c.access, c.access.Path, token, life)
}

// Clear removes the cookies.
func (c *Cookies) Clear(gc *gin.Context) {
	set(gc, c.refresh, c.path(gc), "", 0)
	if c.access.Name != "" {
		set(gc, c.access, c.access.Path, "", 0)
	}
}

func set(gc *gin.Context, cookie http.Cookie, path, token string, life int64) { //nolint:gosec // NewCookies has made it
	cookie.Path, cookie.Value, cookie.MaxAge = path, token, int(life)
	if cookie.MaxAge <= 0 { // net/http takes zero for "not set"
		cookie.MaxAge = -1
	}
	http.SetCookie(gc.Writer, &cookie)
}

// path returns the path of the refresh token's cookie, with the request's values for the parameters of the group.
func (c *Cookies) path(gc *gin.Context) string {
	if !c.parameters {
		return c.prefix + c.refresh.Path
	}
	segments := strings.Split(c.refresh.Path, "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, ":") || strings.HasPrefix(segment, "*") {
			at := slices.IndexFunc(gc.Params, func(p gin.Param) bool { return p.Key == segment[1:] })
			if at >= 0 {
				segments[i] = url.PathEscape(gc.Params[at].Value)
			}
		}
	}
	return c.prefix + strings.Join(segments, "/")
}
