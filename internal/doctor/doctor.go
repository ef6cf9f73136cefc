// Package doctor probes a live bucket as a browser and as an attacker would,
// and says what is wrong, why, and what cures it.
package doctor

import (
	"context"
	"net/http"
	"time"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

// Status is how a probe ended.
type Status string

// How a probe can end.
const (
	OK      Status = "ok"      // ✓
	Warn    Status = "warn"    // !: works, but somebody should know
	Fault   Status = "fault"   // ✗
	Skipped Status = "skipped" // –: does not apply here, or cannot be tried after an earlier fault
)

// Finding is what one probe found.
type Finding struct {
	ID        string `json:"id"`     // "cors.preflight", stable, for --only
	Status    Status `json:"status"` //
	Title     string `json:"title"`  // what is being asked, for people: "a page of https://app.example may upload"
	Tried     string `json:"tried,omitempty"`
	Got       string `json:"got,omitempty"` // status, code, message; never a secret, a signature or a policy
	RequestID string `json:"request_id,omitempty"`
	Cause     string `json:"cause,omitempty"` // one sentence
	Cure      string `json:"cure,omitempty"`  // a command or a setting
}

// Report is all findings, in the order of the probes. The first fault is the
// one to cure first: later ones may follow from it.
type Report struct {
	Bucket   string        `json:"bucket"`
	Region   string        `json:"region"`
	URL      string        `json:"url"`
	Provider string        `json:"provider"`
	Began    time.Time     `json:"began"`
	Took     time.Duration `json:"took"` // nanoseconds
	Findings []Finding     `json:"findings"`
}

// Credentials returns a key; each call may return another one.
type Credentials func(context.Context) (sigv4.Credentials, error)

// Config says what to probe.
type Config struct {
	URL      string // where browsers send files: the bucket's own address, its name included
	Bucket   string
	Region   string
	Provider postern.Provider
	Origins  []string // pages that may upload; the gate's own is one of them

	Signer Credentials // what signs grants
	Worker Credentials // what reads, writes and lists for the gate
	// Same says that one credential does both.
	Same bool
	// Inspector, if not nil, is a key that may read the bucket's settings, which
	// the gate's own keys must not. Nothing is written with it.
	Inspector Credentials
	// Source tells where a credential comes from, in words ("environment",
	// "profile photos-worker", "EC2 instance role"); may be nil.
	Source func(context.Context) (string, error)

	// Transfers are the ways that the presets use; none is Post and Put.
	Transfers []postern.Transfer
	// MaxBytes is the largest file that any preset takes.
	MaxBytes int64
	// Public says that anybody may read images/ at ImagesURL, or in the bucket
	// itself when that is empty; false: nobody may.
	Public    bool
	ImagesURL string
	// Embedded says that the bucket is our own one.
	Embedded bool
	// Known says whether an object in incoming/ belongs to an upload on record;
	// nil: nobody knows, and only age tells an orphan.
	Known func(ctx context.Context, key string) (bool, error)

	// Only, when not empty, are the probes to run: an id, or what comes before
	// its dot. What they need to know first is found out without being reported.
	Only []string

	HTTP *http.Client     // default: one with time-outs that follows no redirects
	Now  func() time.Time // default time.Now
}
