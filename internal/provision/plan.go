package provision

import (
	"context"
	"log/slog"

	"postern.example/postern/sigv4"
)

// Access says with which key, and where, setup works. The zero value is the AWS
// chain and AWS.
type Access struct {
	// Credentials of the operator; nil: the AWS chain, with Profile.
	Credentials func(context.Context) (sigv4.Credentials, error)
	Profile     string // of the AWS configuration files
	// IAMEndpoint and STSEndpoint are URLs of servers that are not AWS's.
	// Empty with an own endpoint: there is no such API, whatever the provider.
	IAMEndpoint, STSEndpoint string
	// NoSecret says of which kinds of key (Signer, Worker) nobody has the secret:
	// a new one is made then, where there is room for a second.
	NoSecret map[string]bool
	// InUse is the id of the access key that the gate works with, by kind: a
	// rotation never deletes it. Empty: nobody knows, and the older one goes.
	InUse  map[string]string
	Logger *slog.Logger // nil discards
}

// Action is what a step does.
type Action string

// What a step can do.
const (
	Create Action = "create"
	Change Action = "change"
	Keep   Action = "keep"
	Delete Action = "delete"
	ByHand Action = "manual" // a person has to; Step.Manual says what
)

// Step is one thing that is made, changed, left or removed. Steps are applied
// in order and each is whole in itself: what was interrupted goes on with the
// next run, which plans what is still missing.
type Step struct {
	ID          string       `json:"id"`     // "bucket", "block-public-access", "cors", "user-signer", …
	Action      Action       `json:"action"` //
	Title       string       `json:"title"`  // "CORS: pages of https://app.example may send files"
	Why         string       `json:"why"`    // one sentence
	Danger      string       `json:"danger,omitempty"`
	Before      string       `json:"before,omitempty"` // as it is, where it changes
	After       string       `json:"after,omitempty"`  // as it will be
	Permissions []Permission `json:"permissions,omitempty"`
	Manual      *Manual      `json:"manual,omitempty"`

	document  string // to write, also where it is not shown
	stoppable bool   // may be left half done: the next run does the other half
	apply     func(context.Context) (*Key, error)
}

// Plan is what has to be done, found out by reading what is there.
type Plan struct {
	Bucket   string `json:"bucket"`
	Region   string `json:"region"`
	Endpoint string `json:"endpoint,omitempty"`
	Provider string `json:"provider"`
	Caller   Caller `json:"caller"`
	Steps    []Step `json:"steps"`
}

// Caller is who the operator's key belongs to. Empty where nobody tells.
type Caller struct {
	Account string `json:"account,omitempty"`
	ARN     string `json:"arn,omitempty"`
}

// Pending returns how many steps change something.
func (p *Plan) Pending() int {
	n := 0
	for _, s := range p.Steps {
		if s.Action == Create || s.Action == Change || s.Action == Delete {
			n++
		}
	}
	return n
}

// Result is what Apply has done, also when it stopped at an error.
type Result struct {
	Done []Step `json:"done"` // in order
	Keys []Key  `json:"keys"` // made now; shown nowhere else again
	// ByHand are steps that were planned, and that the server turned out to have
	// no API for.
	ByHand []Step `json:"by_hand,omitempty"`
}

// Key is an access key that was made. Its secret is in no JSON and no log.
type Key struct {
	Kind            string `json:"kind"` // Signer or Worker
	User            string `json:"user"`
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"-"`
}

// Event tells of a step that begins or has ended.
type Event struct {
	Step  *Step
	Ended bool
	Err   error
	Key   *Key // that the step has made; keep it before the call returns
}
