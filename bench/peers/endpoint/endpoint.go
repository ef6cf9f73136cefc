// Package endpoint has the two handlers that BenchmarkGrantEndpoint and the
// peers' program compare: Postern's, and a bare one that answers as much.
package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

// Names of the handlers.
const (
	Postern = "postern"
	Bare    = "net/http"
)

// The request that they answer.
const (
	Path = "/uploads"
	Ask  = `{"preset":"photos","filename":"cat.jpg","type":"image/jpeg","size":2190194}`
)

// Amazon's example credential, from its documentation.
const (
	AccessKey = "AKIAIOSFODNN7EXAMPLE"                     //nolint:gosec // an example
	SecretKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" //nolint:gosec // an example
)

// Env names the handler that a program is to serve as a child of itself.
const Env = "POSTERN_BENCH_SERVE"

// Serve serves a handler on a free port, which it prints, until its standard
// input ends: that happens when the parent ends, however it ends.
func Serve(name string) error {
	h, err := handler(name)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stdout, l.Addr())
	ended := make(chan error, 2)
	// ReadHeaderTimeout is what nobody should serve without, on both sides.
	go func() { ended <- (&http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}).Serve(l) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	return <-ended
}

func handler(name string) (http.Handler, error) {
	service, err := postern.New(postern.Config{
		Secrets: [][]byte{bytes.Repeat([]byte("s"), 32)},
		Bucket:  struct{ postern.Bucket }{}, Records: struct{ postern.Records }{}, // a grant needs neither
		Target: postern.Target{
			URL: "https://photos.s3.eu-central-1.amazonaws.com", Bucket: "photos", Region: "eu-central-1",
			Credentials: func(context.Context) (sigv4.Credentials, error) {
				return sigv4.Credentials{AccessKeyID: AccessKey, SecretAccessKey: SecretKey}, nil
			},
		},
	})
	if err != nil {
		return nil, err
	}
	gate, err := postern.NewHandler(service, postern.HandlerConfig{})
	if err != nil {
		return nil, err
	}
	switch name {
	case Postern:
		return gate, nil
	case Bare:
		answer, err := answerOf(gate)
		return bare(answer), err
	}
	return nil, fmt.Errorf("there is no handler %q", name)
}

// answerOf is what a handler answers to Ask.
func answerOf(h http.Handler) ([]byte, error) {
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, Path, bytes.NewReader([]byte(Ask)))
	r.Header.Set("Content-Type", "application/json")
	h.ServeHTTP(w, r)
	if w.Code != http.StatusCreated {
		return nil, errors.New(w.Body.String())
	}
	return w.Body.Bytes(), nil
}

// bare decodes the same JSON and always gives the same answer.
func bare(answer []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in postern.Request
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		w.Write(answer) //nolint:errcheck // the client has gone
	})
}

// Loop has Postern's handler answer in this process, without a network, for
// about that long, and returns how often it did.
func Loop(d time.Duration) (n int, err error) {
	h, err := handler(Postern)
	if err != nil {
		return 0, err
	}
	for end := time.Now().Add(d); time.Now().Before(end); n++ {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, Path, strings.NewReader(Ask))
		r.Header.Set("Content-Type", "application/json")
		if h.ServeHTTP(w, r); w.Code != http.StatusCreated {
			return n, fmt.Errorf("status %d: %s", w.Code, w.Body)
		}
	}
	return n, nil
}
