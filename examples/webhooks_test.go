package examples

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/gate"
	"postern.example/postern/posterntest"
)

// hearing is a receiver of one of the examples, as a process.
type hearing struct {
	url   string
	mu    sync.Mutex
	lines []string
}

func (h *hearing) said() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.lines...)
}

func hear(t *testing.T, secret string, command ...string) *hearing {
	t.Helper()
	cmd := exec.Command(command[0], append(command[1:], "127.0.0.1:0")...)
	cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &hearing{}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("it says nothing")
	}
	h.url = "http://" + regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(lines.Text()) + "/"
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines.Scan() {
			h.mu.Lock()
			h.lines = append(h.lines, lines.Text())
			h.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-read
		cmd.Wait()
	})
	return h
}

var hookSecrets = []string{
	"whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("n"), 32)),
	"whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("o"), 32)),
}

// receivers are the examples in each language.
func receivers(t *testing.T) map[string][]string {
	list := map[string][]string{"Go": {build(t, "webhooks")}}
	if node, err := exec.LookPath("node"); err == nil {
		list["Node"] = []string{node, "webhooks/receiver.mjs"}
	} else {
		t.Log("THE RECEIVER IN NODE IS NOT TESTED: there is no node")
	}
	return list
}

// What a gate tells, the examples take: with the new secret and with the old
// one, while they are exchanged.
func TestWebhooks(t *testing.T) {
	for name, command := range receivers(t) {
		for i, secret := range hookSecrets {
			t.Run(fmt.Sprintf("%s, secret %d", name, i+1), func(t *testing.T) {
				h := hear(t, secret, command...)
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				g, err := gate.Open(t.Context(), gate.Config{
					Dir: filepath.Join(t.TempDir(), "d"), BucketListener: l,
					Webhooks: &gate.Webhooks{URLs: []string{h.url}, Secrets: hookSecrets, AllowPrivate: true},
				})
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(context.Background())
				ended := make(chan error)
				go func() { ended <- g.Run(ctx) }()
				api := httptest.NewServer(g)
				defer func() {
					api.Close()
					stop()
					if err := <-ended; err != nil {
						t.Error(err)
					}
					if err := g.Close(context.Background()); err != nil {
						t.Error(err)
					}
				}()
				send(t, http.DefaultClient, api.URL)
				posterntest.Eventually(t, "both events are heard", func() bool { return len(h.said()) == 2 })
				for _, want := range []string{"upload.stored ", "upload.ready "} {
					if said := strings.Join(h.said(), "\n"); !strings.Contains(said, want) || !strings.Contains(said, " anonymous") {
						t.Errorf("heard %q", said)
					}
				}
			})
		}
	}
}

// Threat 33: what we did not sign, or not now, or not so, is refused; what comes
// again changes nothing.
func TestThreat33_Receivers(t *testing.T) {
	for name, command := range receivers(t) {
		t.Run(name, func(t *testing.T) {
			h := hear(t, hookSecrets[0], command...)
			const body = `{"type":"upload.ready","data":{"id":"u1","state":"ready","principal":"alice"}}`
			send := func(change func(h http.Header), body, signedBody, secret string, at time.Time) int {
				t.Helper()
				key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
				if err != nil {
					t.Fatal(err)
				}
				stamp := strconv.FormatInt(at.Unix(), 10)
				mac := hmac.New(sha256.New, key)
				fmt.Fprintf(mac, "evt_1.%s.%s", stamp, signedBody)
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.url, strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("webhook-id", "evt_1")
				r.Header.Set("webhook-timestamp", stamp)
				r.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
				change(r.Header)
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				res.Body.Close()
				return res.StatusCode
			}
			asIs := func(http.Header) {}
			set := func(name, value string) func(http.Header) {
				return func(h http.Header) { h.Set(name, value) }
			}
			without := func(name string) func(http.Header) { return func(h http.Header) { h.Del(name) } }
			now := time.Now()
			other := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("x"), 32))
			for what, status := range map[string]int{
				"another secret":    send(asIs, body, body, other, now),
				"altered body":      send(asIs, strings.Replace(body, "alice", "mallory", 1), body, hookSecrets[0], now),
				"old":               send(asIs, body, body, hookSecrets[0], now.Add(-6*time.Minute)),
				"of the future":     send(asIs, body, body, hookSecrets[0], now.Add(6*time.Minute)),
				"no signature":      send(without("webhook-signature"), body, body, hookSecrets[0], now),
				"no time":           send(without("webhook-timestamp"), body, body, hookSecrets[0], now),
				"no id":             send(without("webhook-id"), body, body, hookSecrets[0], now),
				"another id":        send(set("webhook-id", "evt_2"), body, body, hookSecrets[0], now),
				"another time":      send(set("webhook-timestamp", strconv.FormatInt(now.Unix()+1, 10)), body, body, hookSecrets[0], now),
				"no time at all":    send(set("webhook-timestamp", "now"), body, body, hookSecrets[0], now),
				"empty signature":   send(set("webhook-signature", "v1,"), body, body, hookSecrets[0], now),
				"another version":   send(func(h http.Header) { h.Set("webhook-signature", "v2"+h.Get("webhook-signature")[2:]) }, body, body, hookSecrets[0], now),
				"not JSON":          send(asIs, "{", "{", hookSecrets[0], now),
				"endless signature": send(set("webhook-signature", strings.Repeat("v1,AAAA ", 500)), body, body, hookSecrets[0], now),
			} {
				if status != http.StatusBadRequest {
					t.Errorf("%s: status %d", what, status)
				}
			}
			if said := h.said(); len(said) != 0 {
				t.Errorf("it took %q", said)
			}
			for range 3 {
				if status := send(asIs, body, body, hookSecrets[0], now); status != http.StatusNoContent {
					t.Errorf("a good one: %d", status)
				}
			}
			posterntest.Eventually(t, "it is heard", func() bool { return len(h.said()) > 0 })
			if said := h.said(); len(said) != 1 || said[0] != "upload.ready u1 alice" {
				t.Errorf("it took %q", said)
			}
		})
	}
}
