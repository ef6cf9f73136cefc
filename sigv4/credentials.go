package sigv4

import (
	"log/slog"
	"time"
)

// Credentials are a pair of keys, with a session token when they are
// temporary. They print and log as their access key id only.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string    // empty for long-lived keys
	Expires         time.Time // when the bucket stops to take them; zero: never
}

// LogValue shows the access key id only.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.AccessKeyID) }

// String returns the access key id only.
func (c Credentials) String() string { return c.AccessKeyID }

// GoString returns the access key id only.
func (c Credentials) GoString() string { return "sigv4.Credentials{" + c.AccessKeyID + "}" }
