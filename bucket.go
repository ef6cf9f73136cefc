package postern

import (
	"context"
	"io"
	"time"
)

// Where objects lie inside the bucket. Browsers write below IncomingPrefix and
// nowhere else; only the worker writes below ImagesPrefix; nobody but the
// worker reads below IncomingPrefix.
const (
	IncomingPrefix = "incoming/"
	ImagesPrefix   = "images/"
)

// TicketHeader is the metadata field that carries a sealed ticket on an
// object, as a form field, a signed header and a response header.
const TicketHeader = "x-amz-meta-postern"

// ticketMeta is TicketHeader without S3's prefix for user metadata.
const ticketMeta = "postern"

// Object is what a bucket says about one object.
type Object struct {
	Key      string
	Size     int64  // bytes
	ETag     string // opaque, without quotes
	Type     string // Content-Type
	Modified time.Time
	Metadata map[string]string // user metadata, lower-case names without x-amz-meta-; nil from List
}

// Bucket is the verbs the service and the worker use. Errors are [ErrNotFound]
// when there is no such object and [ErrBucketUnavailable] for everything that a
// later try may cure. Implementations are safe for concurrent use.
type Bucket interface {
	// Head describes one object.
	Head(ctx context.Context, key string) (Object, error)
	// Get opens one object for reading. What is read belongs to the Object
	// returned with it, also when the object is overwritten meanwhile. The
	// caller closes the body.
	Get(ctx context.Context, key string) (Object, io.ReadCloser, error)
	// Put writes one object whole. When it returns nil the object is durable.
	Put(ctx context.Context, key, contentType string, body []byte) error
	// Delete removes one object. Removing what is not there is no error.
	Delete(ctx context.Context, key string) error
	// List returns up to limit objects whose keys start with prefix and sort
	// after the key after, in key order. Fewer than limit means the end.
	List(ctx context.Context, prefix, after string, limit int) ([]Object, error)
}
