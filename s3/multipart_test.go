package s3_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"postern.example/postern"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// What servers say when parts are to be joined. S3 may have said 200 already.
func TestCompleteFaults(t *testing.T) {
	var status, tries atomic.Int64
	var code atomic.Value
	var condition atomic.Value
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tries.Add(1)
		condition.Store(r.Header.Get("If-None-Match"))
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(int(status.Load()))
		fmt.Fprintf(w, "<?xml version=\"1.0\"?>\n  <Error><Code>%s</Code><Message>as a test</Message></Error>", code.Load())
	}))
	defer h.Close()
	b := open(t, h.URL, "photos", testKey)
	parts := []postern.Part{{Number: 1, Size: 1, ETag: "e"}}
	for _, c := range []struct {
		code   string
		status int64
		want   error
		tries  int64
	}{
		{"NoSuchUpload", 404, postern.ErrNotFound, 1},
		{"NoSuchUpload", 200, postern.ErrNotFound, 1},
		{"NoSuchBucket", 404, postern.ErrBucketUnavailable, 1},
		{"InvalidPart", 400, postern.ErrPartChanged, 1},
		{"InvalidPart", 200, postern.ErrPartChanged, 1},
		{"InvalidPartOrder", 400, postern.ErrPartChanged, 1},
		{"PreconditionFailed", 412, postern.ErrKeyTaken, 1},
		{"PreconditionFailed", 200, postern.ErrKeyTaken, 1},
		{"ConditionalRequestConflict", 409, postern.ErrBucketUnavailable, 3},
		{"EntityTooSmall", 400, postern.ErrSizeMismatch, 1},
		{"InternalError", 200, postern.ErrBucketUnavailable, 3},
		{"AccessDenied", 403, postern.ErrBucketUnavailable, 1},
	} {
		status.Store(c.status)
		code.Store(c.code)
		tries.Store(0)
		err := b.CompleteMultipart(t.Context(), "incoming/x", "u", parts)
		if !errors.Is(err, c.want) {
			t.Errorf("%s, status %d: %v, want %v", c.code, c.status, err, c.want)
		}
		if n := tries.Load(); n != c.tries {
			t.Errorf("%s, status %d: %d tries, want %d", c.code, c.status, n, c.tries)
		}
		if condition.Load() != "*" {
			t.Errorf("%s: If-None-Match: %q", c.code, condition.Load())
		}
		if !strings.Contains(err.Error(), c.code) {
			t.Errorf("%s is not to be found in: %v", c.code, err)
		}
	}
	plain, err := s3.New(t.Context(), s3.Config{
		Bucket: "photos", Endpoint: h.URL, PathStyle: true, NoCompleteIfNoneMatch: true,
		Credentials: func(context.Context) (sigv4.Credentials, error) { return testKey, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	status.Store(400)
	if err := plain.CompleteMultipart(t.Context(), "incoming/x", "u", parts); err == nil || condition.Load() != "" {
		t.Errorf("If-None-Match: %q, %v", condition.Load(), err)
	}
}

// A server that lists a part twice would make us count it twice.
func TestPartsListedTwice(t *testing.T) {
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>`+
			`<Part><PartNumber>1</PartNumber><ETag>"e"</ETag><Size>5</Size></Part></ListPartsResult>`)
	}))
	defer h.Close()
	if parts, err := open(t, h.URL, "photos", testKey).Parts(t.Context(), "incoming/x", "u"); !errors.Is(err, postern.ErrBucketUnavailable) {
		t.Errorf("%+v, %v", parts, err)
	}
}
