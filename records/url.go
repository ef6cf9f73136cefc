package records

import (
	"errors"
	"net/url"
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

// MaskURL returns the URL of a database for people to see: without passwords,
// and without anything else that only looks like one. What cannot be read is
// masked whole.
func MaskURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || CheckURL(raw) != nil {
		return "********"
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), "********")
	}
	// libpq takes any parameter here, "password" and "sslpassword" too.
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "********"
	}
	for name := range q {
		switch name {
		case "sslmode", "sslrootcert", "search_path", "application_name", "connect_timeout", "target_session_attrs", "host", "port", "user", "dbname":
		default:
			q.Set(name, "********")
		}
	}
	u.RawQuery = q.Encode()
	masked, err := url.QueryUnescape(u.String())
	if err != nil {
		return "********"
	}
	return masked
}
