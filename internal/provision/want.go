package provision

import (
	"encoding/json"
	"errors"

	"postern.example/postern"
)

// Want is what a bucket and the keys to it shall be like. Everything that
// setup does, prints and emits follows from it, and from nothing else.
type Want struct {
	Bucket    string // its name
	Region    string // "eu-central-1"
	Endpoint  string // the server's URL when it is not AWS
	PathStyle bool   // the bucket's name goes into the path
	Provider  postern.Provider

	// Origins are the pages that may upload, exactly as browsers name them:
	// "https://app.example".
	Origins []string
	// Public lets anybody read images/, by bucket policy.
	Public bool
	// Distribution is the ARN of the CloudFront distribution that reads
	// images/ by origin access control; empty: none does.
	Distribution string

	// User makes two users, User-signer and User-worker, each with one inline
	// policy and one access key.
	User string
	// Role makes one role with both policies inline, which Trust may assume.
	Role  string
	Trust Trust

	// Account is the AWS account, of 12 digits, where documents need it; filled
	// in from the caller's identity when it is empty.
	Account string
}

// Kinds of key: the one whose signatures leave the house, and the one that
// never does.
const (
	Signer = "signer"
	Worker = "worker"
)

// UserName is the name of the user for a kind of key.
func (w *Want) UserName(kind string) string { return w.User + "-" + kind }

// PolicyName is the name of the inline policy for a kind of key, on its user
// or on the role.
func PolicyName(kind string) string { return "postern-" + kind }

// What setup made carries this tag, and destroy touches nothing without it.
const (
	TagKey   = "postern"
	TagValue = "setup"
)

// Trust says who may assume the role.
type Trust struct {
	Kind     string // "ec2", "ecs", "lambda" or "oidc"
	Provider string // of oidc: the provider's ARN
	Subject  string // of oidc: the exact "sub" of its tokens
	Audience string // of oidc: the exact "aud"; default "sts.amazonaws.com"
}

// Policy is an IAM or a bucket policy document.
type Policy struct {
	Version   string      `json:"Version"`
	Statement []Statement `json:"Statement"`
}

// Statement is one statement of a Policy. Lists are always lists, so that two
// documents that say the same are the same text.
type Statement struct {
	Sid       string                         `json:"Sid,omitempty"`
	Effect    string                         `json:"Effect"`
	Principal any                            `json:"Principal,omitempty"` // "*" or {"Service": "…"}
	Action    []string                       `json:"Action"`
	Resource  []string                       `json:"Resource,omitempty"`
	Condition map[string]map[string][]string `json:"Condition,omitempty"`
}

// String is the document as indented JSON.
func (p Policy) String() string {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil { // texts and lists of them have no unencodable value
		return ""
	}
	return string(text)
}

// CORSRule lets pages of some origins send requests to the bucket.
type CORSRule struct {
	ID      string   `json:"id"`
	Origins []string `json:"origins"`
	Methods []string `json:"methods"`
	Headers []string `json:"headers"`
	Expose  []string `json:"expose"`
	MaxAge  int      `json:"max_age"` // seconds
}

// LifecycleRule is a rule by prefix; 0 days: it does not do that.
type LifecycleRule struct {
	ID             string `json:"id"`
	Prefix         string `json:"prefix"`
	ExpireDays     int    `json:"expire_days,omitempty"`
	NoncurrentDays int    `json:"noncurrent_days,omitempty"`
	AbortDays      int    `json:"abort_days,omitempty"`
}

// Permission is one action on one resource, as IAM names them.
type Permission struct {
	Action   string `json:"action"`   // "s3:PutBucketCORS"
	Resource string `json:"resource"` // "arn:aws:s3:::photos"
}

// Manual is what a person has to do, because the provider has no API for it.
type Manual struct {
	ID    string `json:"id"`    // "cors", "lifecycle", "keys", …
	Title string `json:"title"` // one sentence
	Why   string `json:"why"`   // what is missing where
	Steps string `json:"steps"` // exactly what to click, run or paste; may have several lines
}

// Errors are told apart by these.
var (
	// ErrWant: what is wanted cannot be had; the message names the field.
	ErrWant = errors.New("cannot be set up")
	// ErrDenied: the caller lacks a permission; the error is a *Denied.
	ErrDenied = errors.New("permission is missing")
	// ErrTaken: the bucket belongs to somebody else.
	ErrTaken = errors.New("the bucket's name is taken by another account")
	// ErrNotOurs: destroy met what setup did not make.
	ErrNotOurs = errors.New("not made by setup")
	// ErrNotEmpty: destroy met a bucket with objects.
	ErrNotEmpty = errors.New("the bucket has objects")
)
