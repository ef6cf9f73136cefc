package main

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/gate"
	"postern.example/postern/internal/folder"
)

// lines collects what is written, for several goroutines.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServe runs "postern serve" in this process until the test ends, and
// returns the addresses of the page and, when it has one, its bucket.
func startServe(t *testing.T, env map[string]string, args ...string) (page, bucket string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr lines
	code := make(chan int, 1)
	args = append([]string{
		"postern", "serve", "--listen", "127.0.0.1:0", "--bucket-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
	}, args...)
	go func() { code <- run(ctx, args, strings.NewReader(""), &stdout, &stderr, envOf(env), children) }()
	t.Cleanup(func() {
		cancel()
		if c := <-code; c != exitDone {
			t.Errorf("serve ended with %d\n%s", c, stderr.String())
		}
	})
	waitReady(t, &stdout, &stderr, code)
	find := func(pattern string) string {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(stdout.String()); m != nil {
			return m[1]
		}
		return ""
	}
	return find(`ready: (http://\S+)`), find(`served on (http://\S+)`)
}

func waitReady(t *testing.T, stdout, stderr *lines, code chan int) {
	t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(stdout.String(), "Ctrl-C to stop."); time.Sleep(time.Millisecond) {
		select {
		case c := <-code:
			code <- c
			t.Fatalf("serve ended with %d\n%s", c, stderr.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatal("waited in vain for the gate to be ready")
		}
	}
}

func smallPhoto(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 300, 200)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestServe_BucketOfYourOwn uses one gate's embedded bucket as the S3 service
// of another, which reaches it by settings alone.
func TestServe_BucketOfYourOwn(t *testing.T) {
	inFolder(t)
	_, endpoint := startServe(t, nil, "--data", "first")
	k, err := folder.OpenKeys("first", bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	page, bucket := startServe(t, map[string]string{
		"AWS_S3_BUCKET":     gate.EmbeddedBucket,
		"AWS_S3_ACCESS_KEY": k.AccessKeyID,
		"AWS_S3_SECRET_KEY": k.SecretAccessKey,
		"AWS_S3_REGION":     "us-east-1",
		"POSTERN_SECRET":    strings.Repeat("s", 32),
	}, "--data", "second", "--endpoint", endpoint, "--path-style")
	if bucket != "" {
		t.Errorf("a bucket is embedded at %s as well", bucket)
	}
	u, err := send(page, "cat.jpg", "image/jpeg", smallPhoto(t))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(u.doc, []byte(`"state":"ready"`)) {
		t.Fatalf("upload is %s", u.doc)
	}
	// The picture is shown by a signed link, which the client follows here.
	img, err := exchange("GET", page+"/images/"+u.id+"/thumb", "", nil, 200)
	if err != nil {
		t.Fatal(err)
	}
	if _, kind, err := image.DecodeConfig(bytes.NewReader(img)); err != nil || kind != "jpeg" {
		t.Errorf("thumb is %q, %v", kind, err)
	}
}

func TestRun_HintsGoToStderr(t *testing.T) {
	inFolder(t)
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"postern", "serve", "--listen", ":1"}, io.MultiReader(), &stdout, &stderr, noEnv, children)
	if code != exitUsage || stdout.Len() != 0 || !strings.HasPrefix(stderr.String(), "postern: error: ") || !strings.Contains(stderr.String(), "\npostern: hint: ") {
		t.Errorf("code %d, stdout %q, stderr %q", code, stdout.String(), stderr.String())
	}
}
