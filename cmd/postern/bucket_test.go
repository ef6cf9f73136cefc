package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"postern.example/postern/sigv4"
)

// bucket [flag...] starts "postern bucket" on a free port and waits until it
// says that it is ready. It sets ENDPOINT; what it writes goes to bucket.out and
// bucket.err. halt ends it.
func bucketScript(ts *testscript.TestScript, neg bool, args []string) {
	r := ts.Value(runningKey{}).(*running)
	if neg || r.cmd != nil {
		ts.Fatalf("usage: bucket [flag...], once until halt")
	}
	var env []string
	for _, f := range bucketFlags() {
		if v, ok := f.(interface{ GetEnvVars() []string }); ok {
			env = append(env, v.GetEnvVars()...)
		}
	}
	said := r.start(ts, "bucket", append([]string{"bucket", "--listen", "127.0.0.1:0"}, args...),
		append(env, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
	m := regexp.MustCompile(`https?://[0-9.]+:\d+`).FindString(said)
	if m == "" {
		ts.Fatalf("no address in %q", said)
	}
	ts.Setenv("ENDPOINT", m)
}

// s3 [-as ID SECRET] METHOD PATH [body] sends a request to the bucket server,
// signed with the key or with that of AWS_ACCESS_KEY_ID, and prints status,
// headers and body. ca.pem, if there is one, is whom it trusts.
func s3Script(ts *testscript.TestScript, neg bool, args []string) {
	key := sigv4.Credentials{AccessKeyID: ts.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: ts.Getenv("AWS_SECRET_ACCESS_KEY")}
	if len(args) > 2 && args[0] == "-as" {
		key = sigv4.Credentials{AccessKeyID: args[1], SecretAccessKey: args[2]}
		args = args[3:]
	}
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: s3 [-as ID SECRET] METHOD PATH [body]")
	}
	r, err := http.NewRequest(args[0], ts.Getenv("ENDPOINT")+args[1], strings.NewReader(strings.Join(args[2:], "")))
	ts.Check(err)
	region := ts.Getenv("REGION")
	if region == "" {
		region = "us-east-1"
	}
	ts.Check(sigv4.NewSigner(region).SignHeader(key, time.Now(), r, sigv4.UnsignedPayload))
	transport := &http.Transport{}
	if ca, err := os.ReadFile(ts.MkAbs("ca.pem")); err == nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	ts.Check(err)
	defer res.Body.Close()
	fmt.Fprintf(ts.Stdout(), "%s\n", res.Status)
	ts.Check(res.Header.Write(ts.Stdout()))
	fmt.Fprintln(ts.Stdout())
	_, err = io.Copy(ts.Stdout(), res.Body)
	ts.Check(err)
}

// The bucket answers HTTPS with the certificate that it is given, and then a
// policy that denies plain HTTP lets requests pass.
func TestBucketTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	out := &lineWriter{line: make(chan string, 1)}
	s, err := readBucketSettings(func(name string) ([]string, bool) {
		v, ok := map[string][]string{
			"listen": {"127.0.0.1:0"}, "data": {filepath.Join(dir, "data")}, "bucket": {"photos"}, "json": {"true"},
			"tls-cert": {cert}, "tls-key": {key},
		}[name]
		return v, ok
	}, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { ended <- runBucket(ctx, s, out, io.Discard) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	var ready bucketReady
	select {
	case line := <-out.line:
		if err := json.Unmarshal([]byte(line), &ready); err != nil {
			t.Fatal(err)
		}
	case err := <-ended:
		ended <- nil
		t.Fatal(err)
	}
	ca, err := os.ReadFile(cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer client.CloseIdleConnections()
	do := func(method, path, body string, want int) {
		t.Helper()
		r, err := http.NewRequest(method, ready.Endpoint+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		creds := sigv4.Credentials{AccessKeyID: ready.AccessKeyID, SecretAccessKey: ready.SecretAccessKey}
		if err := sigv4.NewSigner(ready.Region).SignHeader(creds, time.Now(), r, sigv4.UnsignedPayload); err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != want {
			t.Errorf("%s %s: %s %s %v", method, path, resp.Status, b, err)
		}
	}
	do("PUT", "/photos?policy", `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"s3:*",
		"Resource":["arn:aws:s3:::photos","arn:aws:s3:::photos/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}}`, 204)
	do("PUT", "/photos/a", "hello", 200)
	do("GET", "/photos/a", "", 200)
}

// certificate writes a certificate for 127.0.0.1 that signs itself.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// lineWriter hands out the first line that is written.
type lineWriter struct {
	line chan string
	b    bytes.Buffer
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.b.Write(p)
	if line, _, ok := strings.Cut(w.b.String(), "\n"); ok {
		select {
		case w.line <- line:
		default:
		}
	}
	return len(p), nil
}
