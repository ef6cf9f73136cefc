package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern/gate"
	"postern.example/postern/internal/folder"
)

// database returns the URL of a schema of the test's own on PostgreSQL, as
// .ci/postgres runs it.
func database(t *testing.T) string {
	t.Helper()
	server := os.Getenv("POSTERN_POSTGRES")
	if server == "" {
		t.Skip("COPIES ARE NOT TESTED: POSTERN_POSTGRES names no server; run: bash .ci/postgres go test ./cmd/postern")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("search_path", fmt.Sprintf("copies_%d_%d", os.Getpid(), time.Now().UnixNano()))
	u.RawQuery = q.Encode()
	return u.String()
}

// sharing is what copies share: the settings of a bucket and a database.
func sharing(t *testing.T) (env map[string]string, args []string) {
	t.Helper()
	inFolder(t)
	_, endpoint := startServe(t, nil, "--data", "bucket")
	k, err := folder.OpenKeys("bucket", bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"POSTERN_BUCKET": gate.EmbeddedBucket, "POSTERN_ACCESS_KEY": k.AccessKeyID, "POSTERN_SECRET_KEY": k.SecretAccessKey,
		"POSTERN_REGION": "us-east-1", "POSTERN_SECRET": strings.Repeat("s", 32), "POSTERN_DATABASE": database(t),
	}, []string{"--endpoint", endpoint, "--path-style"}
}

// Two copies answer and a third checks: whoever is asked, an upload is the
// same, and who watches it at one hears what became of it in another.
func TestCopies_ShareTheWork(t *testing.T) {
	env, args := sharing(t)
	one, _ := startServe(t, env, append(args, "--role", "api")...)
	other, _ := startServe(t, env, append(args, "--role", "api")...)
	if page, _ := startServe(t, env, append(args, "--role", "worker")...); page != "" {
		t.Errorf("the worker can be asked at %s", page)
	}

	up, err := grantAndSend(one, "cat.jpg", "image/jpeg", smallPhoto(t))
	if err != nil {
		t.Fatal(err)
	}
	id := up.id
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, other+"/uploads/"+id+"/events", nil)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var states []string
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var u struct{ State string }
		if err := json.Unmarshal([]byte(data), &u); err != nil {
			t.Fatal(err)
		}
		if states = append(states, u.State); u.State == "granted" {
			if _, err := exchange("POST", one+"/uploads/"+id+"/complete", "application/json", []byte("{}"), 202); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := strings.Join(states, " "); got != "granted stored ready" && got != "granted ready" {
		t.Errorf("watched at another copy: %s", got)
	}
	for _, copy := range []string{one, other} {
		if _, err := exchange("GET", copy+"/images/"+id+"/thumb", "", nil, 200); err != nil {
			t.Error(err)
		}
	}
}

// A copy that is told to stop says so to probers first, and answers whoever
// has not heard of it: clients that turn away when /readyz does lose nothing.
func TestCopies_StopUnderLoad(t *testing.T) {
	inFolder(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stdout, stderr lines
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"postern", "serve", "--listen", "127.0.0.1:0", "--bucket-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--drain", "700ms"},
			strings.NewReader(""), &stdout, &stderr, noEnv, children)
	}()
	waitReady(t, &stdout, &stderr, code)
	page := regexp.MustCompile(`ready: (http://\S+)`).FindStringSubmatch(stdout.String())[1]

	var turned atomic.Bool // the balancer has turned away
	var answered atomic.Int64
	var wg sync.WaitGroup
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	for range 8 {
		wg.Go(func() {
			for !turned.Load() {
				res, err := client.Post(page+"/uploads", "application/json", strings.NewReader(`{"filename":"a.jpg","type":"image/jpeg","size":1000}`))
				if err != nil {
					t.Errorf("after %d answers: %v", answered.Load(), err)
					return
				}
				var g struct{ ID string }
				err = json.NewDecoder(res.Body).Decode(&g)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusCreated || g.ID == "" {
					t.Errorf("status %d, id %q, %v", res.StatusCode, g.ID, err)
					return
				}
				answered.Add(1)
			}
		})
	}
	for answered.Load() < 200 {
		if t.Failed() {
			t.FailNow()
		}
		time.Sleep(time.Millisecond)
	}
	stop() // as SIGTERM does
	before := answered.Load()
	heard := false
	for end := time.Now().Add(patience); !heard && time.Now().Before(end); {
		res, err := http.Get(page + "/readyz") // a prober opens a connection each time
		if err != nil {
			t.Fatalf("it stopped before it said so: %v", err)
		}
		heard = res.StatusCode == http.StatusServiceUnavailable
		res.Body.Close()
	}
	for answered.Load() < before+50 && !t.Failed() {
		time.Sleep(time.Millisecond) // it goes on answering
	}
	turned.Store(true)
	wg.Wait()
	if c := <-code; c != exitDone || !heard {
		t.Errorf("ended with %d, said so to probers: %t\n%s", c, heard, stderr.String())
	}
}
