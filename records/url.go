package records

import (
	"errors"
	"net/url"
	"slices"
	"strings"
)

var errURL = errors.New("the database's URL must look like postgres://user:password@host:5432/name")

// CheckURL says what is wrong with the URL of a database, without repeating it.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Opaque != "" {
		return errURL
	}
	return nil
}

// shown are the parameters that hold no secret.
var shown = []string{"sslmode", "sslrootcert", "search_path", "application_name", "connect_timeout", "target_session_attrs", "host", "port", "user", "dbname"}

// MaskURL returns the URL of a database for people to see: without its
// password, and without parameters that may hold one. One that could have a
// separator in its password, and so end sooner than it seems, is masked whole.
func MaskURL(raw string) string {
	const mask = "********"
	u, err := url.Parse(raw)
	if err != nil || CheckURL(raw) != nil || u.Fragment != "" || strings.Contains(u.Host+u.Path+u.RawQuery, "@") {
		return mask
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return mask
	}
	at := ""
	if u.User != nil {
		at = url.User(u.User.Username()).String() + "@"
		if _, has := u.User.Password(); has {
			at = url.User(u.User.Username()).String() + ":" + mask + "@"
		}
	}
	for name := range q {
		if !slices.Contains(shown, name) {
			q.Del(name)
		}
	}
	masked := u.Scheme + "://" + at + u.Host + u.EscapedPath()
	if len(q) > 0 {
		masked += "?" + q.Encode()
	}
	return masked
}
