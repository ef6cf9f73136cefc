// Command webhooks hears what becomes of uploads: it verifies each event, keeps
// what it has heard, and prints it. The same in Node is receiver.mjs.
//
//	WEBHOOK_SECRET=whsec_… go run ./examples/webhooks 127.0.0.1:3000
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type event struct {
	Type string
	Data struct{ ID, State, Principal string }
}

var errForged = errors.New("not signed by us, or not now")

// verify checks a request as standardwebhooks.com has it: one of the signatures
// is over id, timestamp and body, and the timestamp is of these five minutes.
func verify(secret []byte, h http.Header, body []byte, now time.Time) error {
	id, stamp := h.Get("webhook-id"), h.Get("webhook-timestamp")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if id == "" || err != nil || now.Sub(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return errForged
	}
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	for _, s := range strings.Fields(h.Get("webhook-signature")) {
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "v1,"))
		if err == nil && strings.HasPrefix(s, "v1,") && hmac.Equal(sum, mac.Sum(nil)) {
			return nil
		}
	}
	return errForged
}

// receiver takes events. A database would keep heard: an event may come twice.
type receiver struct {
	secret []byte
	mu     sync.Mutex
	heard  map[string]bool
}

func (x *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 64<<10))
	var e event
	if err != nil || verify(x.secret, r.Header, body, time.Now()) != nil || json.Unmarshal(body, &e) != nil {
		http.Error(w, "forged", http.StatusBadRequest)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if id := r.Header.Get("webhook-id"); !x.heard[id] {
		x.heard[id] = true
		fmt.Println(e.Type, e.Data.ID, e.Data.Principal)
	}
	w.WriteHeader(http.StatusNoContent)
}

func main() {
	secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(os.Getenv("WEBHOOK_SECRET"), "whsec_"))
	if err != nil || len(secret) == 0 || len(os.Args) != 2 {
		log.Fatal("usage: WEBHOOK_SECRET=whsec_… webhooks ADDRESS")
	}
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", l.Addr())
	log.Fatal((&http.Server{Handler: &receiver{secret: secret, heard: map[string]bool{}}, ReadHeaderTimeout: 10 * time.Second}).Serve(l))
}
