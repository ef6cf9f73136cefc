package postern

import (
	"context"
	"errors"
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

// Part is one part of an unfinished upload in parts.
type Part struct {
	Number int    // 1 to MaxParts
	Size   int64  // bytes
	ETag   string // opaque, without quotes
}

// MultipartUpload is an upload in parts that was neither completed nor aborted.
type MultipartUpload struct {
	Key      string
	UploadID string // the bucket's name for it, opaque
	Started  time.Time
}

// What a bucket says when parts cannot be joined.
var (
	// ErrPartChanged: a part is not there as it was listed.
	ErrPartChanged = errors.New("a part is not there as it was listed")
	// ErrKeyTaken: there is an object under the key already.
	ErrKeyTaken = errors.New("there is an object under the key already")
)

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

	// CreateMultipart begins an upload in parts. Names in metadata are without
	// x-amz-meta-.
	CreateMultipart(ctx context.Context, key, contentType string, metadata map[string]string) (uploadID string, err error)
	// Parts returns all parts the bucket has, by number. ErrNotFound when there
	// is no such upload, or none any more.
	Parts(ctx context.Context, key, uploadID string) ([]Part, error)
	// CompleteMultipart joins the parts to the object. ErrNotFound when there is
	// no such upload, ErrPartChanged when a part is not there as given,
	// ErrKeyTaken when there is an object already (where the provider can tell).
	CompleteMultipart(ctx context.Context, key, uploadID string, parts []Part) error
	// AbortMultipart forgets an upload and its parts. Aborting what is not
	// there is no error.
	AbortMultipart(ctx context.Context, key, uploadID string) error
	// Multiparts returns up to limit unfinished uploads whose keys start with
	// prefix and which sort after the upload after, by key. Fewer than limit
	// means the end. The zero value of after is the beginning.
	Multiparts(ctx context.Context, prefix string, after MultipartUpload, limit int) ([]MultipartUpload, error)
}
