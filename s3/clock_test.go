package s3_test

import (
	"bytes"
	"context"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/internal/s3d"
	"postern.example/postern/posterntest"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

var testKey = sigv4.Credentials{AccessKeyID: "POSTERNTESTCLOCK", SecretAccessKey: "the clock's secret"}

// logs is what a Logger was told.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// bucketAt runs an embedded bucket whose clock is ahead of ours, with one
// bucket, "photos".
func bucketAt(t *testing.T, ahead time.Duration) (endpoint string) {
	t.Helper()
	now := func() time.Time { return time.Now().Add(ahead) }
	server, err := s3d.New(s3d.Config{Dir: t.TempDir(), Keys: []sigv4.Credentials{testKey}, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", now().UTC().Format(http.TimeFormat))
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(h.Close)
	if err := open(t, h.URL, "photos", testKey).Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h.URL
}

// sendForm sends a form to a bucket that was signed at a time.
func sendForm(t *testing.T, url string, at time.Time) int {
	t.Helper()
	fields := []sigv4.Field{{Name: "key", Value: "incoming/x"}, {Name: "Content-Type", Value: "image/png"}}
	signed := sigv4.NewSigner("us-east-1").Post(testKey, at, &sigv4.Policy{
		Expiration: at.Add(10 * time.Minute),
		Conditions: []sigv4.Condition{sigv4.Eq("bucket", "photos"), sigv4.Eq("key", "incoming/x"), sigv4.Eq("Content-Type", "image/png")},
	})
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, f := range append(fields, signed...) {
		if err := form.WriteField(f.Name, f.Value); err != nil {
			t.Fatal(err)
		}
	}
	file, err := form.CreateFormFile("file", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte("a picture")); err != nil {
		t.Fatal(err)
	}
	form.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, &b)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// A bucket whose clock is far from ours: our requests succeed, even when the
// first is one whose refusal has no body, and we know what its clock shows.
func TestThreat26_ClockSkew(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": 20 * time.Minute, "behind": -20 * time.Minute, "same": 0, "a day ahead": 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			endpoint := bucketAt(t, ahead)
			for first, call := range map[string]func(context.Context, *s3.Bucket) error{
				"head bucket": func(ctx context.Context, b *s3.Bucket) error { return b.Ping(ctx) },
				"put":         func(ctx context.Context, b *s3.Bucket) error { return b.Put(ctx, "images/a", "image/png", []byte("x")) },
				"list": func(ctx context.Context, b *s3.Bucket) error {
					_, err := b.List(ctx, "images/", "", 10)
					return err
				},
			} {
				b := open(t, endpoint, "photos", testKey)
				if b.Skew() != 0 {
					t.Errorf("%s: a skew of %v before the first answer", first, b.Skew())
				}
				if err := call(t.Context(), b); err != nil {
					t.Errorf("%s: %v", first, err)
				}
				if skew := b.Skew(); (skew - ahead).Abs() > 3*time.Second {
					t.Errorf("%s: a skew of %v, want %v", first, skew, ahead)
				}
				if status := sendForm(t, endpoint+"/photos", time.Now().Add(b.Skew())); status != http.StatusNoContent {
					t.Errorf("%s: a form signed by the bucket's clock: status %d", first, status)
				}
			}
			want := http.StatusNoContent
			if ahead > 0 { // a form of the future is taken: S3 holds its policy against the clock, not its date
				want = http.StatusForbidden
			}
			if status := sendForm(t, endpoint+"/photos", time.Now()); status != want {
				t.Errorf("a form signed by our clock: status %d, want %d", status, want)
			}
		})
	}
}

// answers is a server that tells any time.
type answers struct {
	*httptest.Server
	mu   sync.Mutex
	head http.Header
}

func startAnswers(t *testing.T) *answers {
	t.Helper()
	a := &answers{}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for name, values := range a.head {
			w.Header()[name] = values
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *answers) tell(h http.Header) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.head = h
}

func date(at time.Time) http.Header {
	return http.Header{"Date": {at.UTC().Format(http.TimeFormat)}}
}

// Which answers tell the time, and how well.
func TestSkewOfAnswers(t *testing.T) {
	a := startAnswers(t)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	var mu sync.Mutex
	now, took := start, time.Duration(0)
	var told logs
	b, err := s3.New(t.Context(), s3.Config{
		Bucket: "photos", Endpoint: a.URL, PathStyle: true, Logger: told.logger(),
		Credentials: func(context.Context) (sigv4.Credentials, error) { return testKey, nil },
		Now: func() time.Time { // each second call is the answer
			mu.Lock()
			defer mu.Unlock()
			now = now.Add(took)
			return now
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	cached := date(start.Add(time.Hour))
	cached.Set("Age", "7")
	for _, c := range []struct {
		name   string
		answer http.Header
		took   time.Duration
		want   time.Duration
		logged int // lines, so far
	}{
		{"a little ahead", date(start.Add(4 * time.Second)), 0, 0, 0},
		{"a little behind", date(start.Add(-5 * time.Second)), 0, 0, 0}, // 4.5 s: a Date is cut off
		{"ahead", date(start.Add(30 * time.Second)), 0, 30*time.Second + time.Second/2, 0},
		{"out of a cache", cached, 0, 30*time.Second + time.Second/2, 0},
		{"no date", http.Header{"Date": nil}, 0, 30*time.Second + time.Second/2, 0},
		{"not a date", http.Header{"Date": {"yesterday"}}, 0, 30*time.Second + time.Second/2, 0},
		{"too slow", date(start.Add(time.Hour)), 11 * time.Second, 30*time.Second + time.Second/2, 0},
		{"the middle of its way", date(start.Add(40 * time.Second)), 8 * time.Second, 40*time.Second + time.Second/2 - 12*time.Second, 0},
		{"far ahead", date(start.Add(2 * time.Hour)), 0, 2*time.Hour + time.Second/2, 1},
		{"farther", date(start.Add(3 * time.Hour)), 0, 3*time.Hour + time.Second/2, 1},
		{"wavering", date(start.Add(50 * time.Second)), 0, 50*time.Second + time.Second/2, 1},
		{"far behind", date(start.Add(-time.Hour)), 0, -time.Hour + time.Second/2, 1},
		{"right again", date(start), 0, 0, 2},
		{"still right", date(start), 0, 0, 2},
		{"behind again", date(start.Add(-61 * time.Second)), 0, -61*time.Second + time.Second/2, 3},
	} {
		mu.Lock()
		now, took = start, c.took
		mu.Unlock()
		a.tell(c.answer)
		if err := b.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if skew := b.Skew(); skew != c.want {
			t.Errorf("%s: a skew of %v, want %v", c.name, skew, c.want)
		}
		if n := strings.Count(told.String(), "level=WARN"); n != c.logged {
			t.Errorf("%s: %d warnings, want %d:\n%s", c.name, n, c.logged, told.String())
		}
	}
}

// Reading the clock while answers change it.
func TestSkewConcurrently(t *testing.T) {
	bucket := posterntest.StartBucket(t, posterntest.BucketConfig{})
	b := open(t, bucket.Endpoint, bucket.Buckets[0], bucket.Key)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if err := b.Ping(t.Context()); err != nil {
					t.Error(err)
				}
				if b.Skew() != 0 {
					t.Errorf("a skew of %v", b.Skew())
				}
			}
		})
	}
	wg.Wait()
}
