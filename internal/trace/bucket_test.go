package trace

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"postern.example/postern"
	"postern.example/postern/posterntest"
)

// Every verb answers as the bucket itself does, and leaves a span if it is part
// of something.
func TestBucket(t *testing.T) {
	var mu sync.Mutex
	names := map[string]int{}
	var raw bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var data tracepb.TracesData
		if err != nil || proto.Unmarshal(body, &data) != nil {
			t.Errorf("%x, %v", body, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		raw.Write(body)
		for _, s := range data.ResourceSpans[0].ScopeSpans[0].Spans {
			names[s.Name]++
		}
	}))
	defer server.Close()
	tracer, err := New(t.Context(), Config{URL: server.URL, Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	g := posterntest.Start(t, posterntest.Config{NoWorker: true})
	b := tracer.Bucket(g.S3)
	ctx, end := tracer.Job(t.Context(), postern.Claim{Upload: postern.Upload{State: postern.Stored, StoredAt: time.Now()}})
	check := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	check("Put", b.Put(ctx, "images/hush/a", "image/png", []byte("abc")), nil)
	o, err := b.Head(ctx, "images/hush/a")
	if check("Head", err, nil); o.Size != 3 {
		t.Errorf("%+v", o)
	}
	_, err = b.Head(ctx, "images/hush/none")
	check("Head of none", err, postern.ErrNotFound)
	_, body, err := b.Get(ctx, "images/hush/a")
	if check("Get", err, nil); err == nil {
		if text, err := io.ReadAll(body); string(text) != "abc" || err != nil {
			t.Errorf("%q, %v", text, err)
		}
		check("Close", body.Close(), nil)
		body.Close() // nobody is to mind
	}
	_, _, err = b.Get(ctx, "images/hush/none")
	check("Get of none", err, postern.ErrNotFound)
	list, err := b.List(ctx, "images/", "", 10)
	if check("List", err, nil); len(list) != 1 {
		t.Errorf("%v", list)
	}
	id, err := b.CreateMultipart(ctx, "images/hush/m", "image/png", nil)
	check("CreateMultipart", err, nil)
	_, err = b.Parts(ctx, "images/hush/m", id)
	check("Parts", err, nil)
	check("CompleteMultipart", b.CompleteMultipart(ctx, "images/hush/m", id, []postern.Part{{Number: 1, ETag: "x"}}), postern.ErrPartChanged)
	ups, err := b.Multiparts(ctx, "images/", postern.MultipartUpload{}, 10)
	if check("Multiparts", err, nil); len(ups) != 1 {
		t.Errorf("%v", ups)
	}
	check("AbortMultipart", b.AbortMultipart(ctx, "images/hush/m", id), nil)
	check("Delete", b.Delete(ctx, "images/hush/a"), nil)
	end("ready")

	check("Put, of nothing", b.Put(t.Context(), "images/hush/b", "image/png", nil), nil)
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for name, want := range map[string]int{
		"check": 1, "bucket PutObject": 1, "bucket HeadObject": 2, "bucket GetObject": 2, "bucket ListObjectsV2": 1, "bucket CreateMultipartUpload": 1, "bucket ListParts": 1,
		"bucket CompleteMultipartUpload": 1, "bucket ListMultipartUploads": 1, "bucket AbortMultipartUpload": 1, "bucket DeleteObject": 1,
	} {
		if names[name] != want {
			t.Errorf("%d × %s, want %d", names[name], name, want)
		}
	}
	if bytes.Contains(raw.Bytes(), []byte("hush")) {
		t.Error("a key is in the spans")
	}
}
