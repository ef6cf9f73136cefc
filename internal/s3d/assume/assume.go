// Package assume says what we believe about S3, as questions that a server
// answers: one for each sentence of Amazon's documentation and each recorded
// answer that the embedded bucket relies on or imitates.
//
// The same list is put to the embedded bucket, where every one must hold, and
// by "make oracle" to other people's servers. Where those differ from us,
// testdata/differences.txt says why, and who follows S3.
//
// An assumption is asked in plain HTTP, so that it has every byte in its own
// hand; only signatures come from package sigv4. It works below its own prefix
// of a bucket that all share, or makes a bucket when it changes settings. What
// S3 does and nobody has written down or recorded is not on the list.
package assume

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// Assumption is one thing that we believe about S3.
type Assumption struct {
	// Name is its own, in lower case with hyphens.
	Name string
	// Source is where it is written: "API CopyObject" for the page of that
	// operation, another page of Amazon's by its title, or "recorded" for an
	// answer that was seen.
	Source string
	// Quote is the sentence, or the answer, in short.
	Quote string
	// Ask returns nil when it holds, else what was seen instead.
	Ask func(*Bucket) error
}

// All returns everything that we assume, in a fixed order.
func All() []Assumption {
	return slices.Concat(
		buckets(), authorization(), presigned(), anonymous(),
		posts(), policies(), conditions(),
		puts(), keys(), chunked(), checksums(), conditional(),
		gets(), deletes(), copies(), lists(), pages(),
		uploads(), completions(), uploadChecksums(),
		tags(), cors(), bucketPolicies(), lifecycles(), ownership(),
	)
}

// Server is an S3 that can be asked.
type Server struct {
	Endpoint    string // scheme and host, without a slash at the end
	Region      string
	Credentials sigv4.Credentials

	client *http.Client
	signer *sigv4.Signer
}

// NewServer returns the server at an endpoint. It is reached by paths, not by
// bucket names in its host.
func NewServer(endpoint, region string, c sigv4.Credentials) *Server {
	return &Server{
		Endpoint: strings.TrimSuffix(endpoint, "/"), Region: region, Credentials: c, signer: sigv4.NewSigner(region),
		client: &http.Client{
			Timeout:       time.Minute,
			Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Close closes the connections to the server.
func (s *Server) Close() { s.client.CloseIdleConnections() }

// Bucket is what an assumption works in: keys below Prefix of a bucket.
type Bucket struct {
	*Server
	Name   string
	Prefix string

	made *[]*Bucket // by other, to be removed
}

// Bucket makes a bucket that assumptions can share.
func (s *Server) Bucket() (*Bucket, error) {
	b := &Bucket{Server: s, Name: bucketName(), made: new([]*Bucket)}
	return b, b.send("PUT", "", "").is(200, "").failed()
}

// Ask puts one question, below a prefix of its own.
func (b *Bucket) Ask(a Assumption) error {
	own := &Bucket{Server: b.Server, Name: b.Name, Prefix: a.Name + "/", made: new([]*Bucket)}
	err := a.Ask(own)
	for _, o := range *own.made {
		o.Remove()
	}
	return err
}

// Remove empties and deletes a bucket, as far as the server lets it.
func (b *Bucket) Remove() {
	b.send("DELETE", "?policy", "")
	for _, u := range b.send("GET", "?uploads", "").nodes("Upload") {
		b.send("DELETE", escape("/"+u.text("Key"))+"?uploadId="+u.text("UploadId"), "")
	}
	for {
		keys := b.send("GET", "?list-type=2", "").texts("Contents/Key")
		for _, k := range keys {
			b.send("DELETE", escape("/"+k), "")
		}
		if len(keys) < 1000 {
			break
		}
	}
	b.send("DELETE", "", "")
}

// other makes another bucket, which is removed when the question is answered.
// It is a fresh one: with everything as S3 sets it up.
func (b *Bucket) other() *Bucket {
	o := b.unmade()
	o.send("PUT", "", "")
	*b.made = append(*b.made, o)
	return o
}

// unmade is a bucket that does not exist yet.
func (b *Bucket) unmade() *Bucket {
	return &Bucket{Server: b.Server, Name: bucketName(), made: b.made}
}

// open lets a bucket be public as far as its policy says so: a new one is not.
func (b *Bucket) open() *Bucket {
	// By PUT: to MinIO, DELETE is for the bucket itself.
	b.settings("publicAccessBlock", publicAccessBlock("false", "false", "false", "false"))
	return b
}

func bucketName() string {
	random := make([]byte, 8)
	rand.Read(random)
	return "assume-" + hex.EncodeToString(random)
}

// check is something that may have failed.
type check interface{ failed() error }

// all returns what failed first.
func all(checks ...check) error {
	for _, c := range checks {
		if err := c.failed(); err != nil {
			return err
		}
	}
	return nil
}

type wanted struct{ err error }

func (w wanted) failed() error { return w.err }

// that is a check of anything.
func that(ok bool, format string, args ...any) check {
	if ok {
		return wanted{}
	}
	return wanted{fmt.Errorf(format, args...)}
}

// same is a check that something is what it should be.
func same[T comparable](what string, got, want T) check {
	return that(got == want, "%s is %v, not %v", what, got, want)
}
