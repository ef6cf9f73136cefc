package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// scraped is what the metrics say.
func scraped(t *testing.T, admin string) string {
	t.Helper()
	b, err := exchange(http.MethodGet, admin, "", nil, http.StatusOK)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The way of an upload can be followed in the metrics: granted, stored, ready or
// not and why, with its bytes and its time.
func TestMetrics_Funnel(t *testing.T) {
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	inFolder(t)
	if err := os.WriteFile(defaultFile, []byte("presets: [{name: photos, quota: {grants_per_minute: 2}}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := envOf(map[string]string{ // there are metrics of webhooks only where there is one
		"POSTERN_WEBHOOK_URL": "http://127.0.0.1:1/", "POSTERN_WEBHOOK_ALLOW_PRIVATE": "true", "POSTERN_WEBHOOK_SECRET": "whsec_" + strings.Repeat("AAAA", 8),
	})
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr lines
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{"postern", "serve", "--listen", "127.0.0.1:0", "--bucket-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}, strings.NewReader(""), &stdout, &stderr, env, children)
	}()
	t.Cleanup(func() {
		cancel()
		if c := <-code; c != exitDone {
			t.Errorf("serve ended with %d\n%s", c, stderr.String())
		}
	})
	for end := time.Now().Add(patience); !strings.Contains(stdout.String(), "Ctrl-C to stop."); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain for the gate to be ready")
		}
	}
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(stdout.String())
		if m == nil {
			t.Fatalf("%s is not in\n%s", pattern, stdout.String())
		}
		return m[1]
	}
	page, admin := find(`ready: (http://\S+)`), find(`metrics +(http://\S+)`)
	good := smallPhoto(t)
	if _, err := send(page, "cat.jpg", "image/jpeg", good); err != nil {
		t.Fatal(err)
	}
	bad := []byte("not a picture at all")
	if _, err := send(page, "bad.jpg", "image/jpeg", bad); err != nil {
		t.Fatal(err)
	}
	grants := 2.0
	for again := true; again; { // the minute of the quota may end meanwhile
		_, err := exchange(http.MethodPost, page+"/uploads", "application/json", []byte(`{"filename":"a.jpg","type":"image/jpeg"}`), http.StatusTooManyRequests)
		again = err != nil && strings.Contains(err.Error(), "201 Created")
		if again {
			grants++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	said := scraped(t, admin)
	sum := float64(len(good) + len(bad))
	for pattern, want := range map[string]float64{
		`postern_grants_total (\S+)`:                                   grants,
		`postern_grants_ended_total (\S+)`:                             0,
		`postern_grants_used_total (\S+)`:                              0,
		`postern_quota_hits_total{limit="grants_per_minute"} (\S+)`:    1,
		`postern_uploads_total{state="stored"} (\S+)`:                  2,
		`postern_uploads_total{state="ready"} (\S+)`:                   1,
		`postern_uploads_total{state="rejected"} (\S+)`:                1,
		`postern_upload_problems_total{code="type_not_allowed"} (\S+)`: 1,
		`postern_uploaded_bytes_total (\S+)`:                           sum,
		`postern_upload_wait_seconds_count (\S+)`:                      2,
		`postern_upload_wait_seconds_bucket{le="\+Inf"} (\S+)`:         2,
	} {
		m := regexp.MustCompile(`(?m)^` + pattern + `$`).FindStringSubmatch(said)
		var have float64
		if m == nil || json.Unmarshal([]byte(m[1]), &have) != nil || have != want {
			t.Errorf("%s: %v, want %v", pattern, m, want)
		}
	}

	// The dashboard asks for nothing that is not there.
	board, err := os.ReadFile(filepath.Join(repository, "docs", "grafana", "postern.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Type, Title, Description string
			Targets                  []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(board, &d); err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`\b(?:postern|process|go)_\w+`)
	expressions := 0
	for _, p := range d.Panels {
		if p.Title == "" || p.Type != "row" && p.Description == "" {
			t.Errorf("panel %q says nothing of itself", p.Title)
		}
		for _, target := range p.Targets {
			expressions++
			names := asked.FindAllString(target.Expr, -1)
			if len(names) == 0 {
				t.Errorf("panel %q asks for nothing: %s", p.Title, target.Expr)
			}
			for _, name := range names {
				// Counters of what has not happened yet appear with the first of it.
				if !regexp.MustCompile(`(?m)^` + name + `[ {]`).MatchString(said) {
					t.Errorf("panel %q asks for %s, which is not there", p.Title, name)
				}
			}
		}
	}
	if expressions < 25 {
		t.Errorf("%d expressions", expressions)
	}
}
