package conform_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"postern.example/postern"
	"postern.example/postern/posterntest"
	"postern.example/postern/records"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// signed is something that a grant has a signature for, as another signer takes
// it: a policy's text, or a request.
type signed struct {
	What      string            `json:"-"`
	Signature string            `json:"-"` // ours
	Region    string            `json:"region"`
	AccessKey string            `json:"access_key"`
	SecretKey string            `json:"secret_key"`
	Token     string            `json:"token"`
	Date      string            `json:"date"`
	Policy    string            `json:"policy"` // base64; empty of a request
	Method    string            `json:"method"`
	URL       string            `json:"url"` // without the signature's parameters
	Headers   map[string]string `json:"headers"`
	Expires   int               `json:"expires"` // seconds
}

// Four other signers put the same signatures under all that the service hands
// out, at the same time of day: forms, PUTs with every header there may be, and
// parts whose length is bound. (sigv4 has hostile keys, types and metadata the
// other way round: what they sign is held against ours.)
func TestGrantsAsOtherSigners(t *testing.T) {
	list := grants(t)
	policies := func(s signed) bool { return s.Policy != "" }
	requests := func(s signed) bool { return s.Policy == "" }
	all := func(signed) bool { return true }
	t.Run("aws-sdk-go-v2", func(t *testing.T) { same(t, list, requests, bySDK(t, list)) }) // its signer of policies is not for others to call
	python := os.Getenv("POSTERN_CLIENTS_PYTHON")
	if python == "" {
		python = "/usr/bin/python3"
	}
	for name, by := range map[string]struct {
		makes   func(signed) bool
		command []string
	}{
		"botocore":   {all, []string{python, "-B", "python/resign.py"}},
		"javascript": {all, []string{"node", "--no-warnings", "node/resign.mjs"}},
		"minio-go":   {policies, []string{"go", "run", "./resign"}}, // its signer of URLs reads the clock
	} {
		t.Run(name, func(t *testing.T) { same(t, list, by.makes, byProcess(t, list, name, by.command)) })
	}
}

// same holds their signatures against ours, of what a signer makes.
func same(t *testing.T, list []signed, makes func(signed) bool, theirs []string) {
	t.Helper()
	if len(theirs) != len(list) {
		t.Fatalf("%d signatures for %d", len(theirs), len(list))
	}
	compared := 0
	for i, s := range list {
		if !makes(s) {
			continue
		}
		if compared++; theirs[i] != s.Signature || theirs[i] == "" {
			t.Errorf("%s: signed another way", s.What)
		}
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
	if !t.Failed() {
		t.Logf("%d signatures are the same", compared)
	}
}

// grants are what a service signs, under the conditions that signers get wrong.
func grants(t *testing.T) (list []signed) {
	bucket := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"conformance"}})
	parts, err := s3.New(t.Context(), s3.Config{
		Bucket: "conformance", Endpoint: bucket.Endpoint, PathStyle: true,
		Credentials: func(context.Context) (sigv4.Credentials, error) { return bucket.Key, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	notes, err := records.Open(t.Context(), records.Config{Path: filepath.Join(t.TempDir(), "postern.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := notes.Close(); err != nil {
			t.Error(err)
		}
	})
	provider, _ := postern.ProviderByName("aws")
	for _, target := range []postern.Target{
		{URL: "https://photos.s3.eu-central-1.amazonaws.com", Bucket: "photos", Region: "eu-central-1"},
		{URL: "http://127.0.0.1:9000/photos", Bucket: "photos", Region: "us-east-1"},
		{URL: "https://s3.example:8443/a.bucket-1", Bucket: "a.bucket-1", Region: "auto"},
	} {
		for _, key := range []sigv4.Credentials{
			{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"},
			{AccessKeyID: "ASIAIOSFODNN7EXAMPLE", SecretAccessKey: "a+b/c d=", SessionToken: "FwoGZXIvYXdz+/==EX&AMPLE"},
		} {
			for _, now := range []time.Time{
				time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2028, 2, 29, 23, 59, 59, 999e6, time.UTC),
				time.Date(2027, 6, 1, 1, 30, 0, 0, time.FixedZone("", 2*3600)), // in UTC it is the day before
			} {
				target.Provider = provider
				target.Credentials = func(context.Context) (sigv4.Credentials, error) { return key, nil }
				s, err := postern.New(postern.Config{
					Presets: []postern.Preset{{Name: "any", PartSize: postern.MinPartSize, MaxBytes: 1 << 40}}, Secrets: [][]byte{bytes.Repeat([]byte("s"), 32)},
					Bucket: parts, Records: notes, Target: target, Now: func() time.Time { return now },
				})
				if err != nil {
					t.Fatal(err)
				}
				g := granting{t, s, target, key, fmt.Sprintf("%s, %.4s, %s", target.Region, key.AccessKeyID, now.UTC().Format(sigv4.TimeFormat))}
				list = append(list, g.all()...)
			}
		}
	}
	return list
}

type granting struct {
	t      *testing.T
	s      *postern.Service
	target postern.Target
	key    sigv4.Credentials
	what   string
}

func (x *granting) all() (list []signed) {
	sum, one, big := sha256.Sum256([]byte("x")), int64(1), int64(postern.MinPartSize)*postern.MaxParts-1
	hash := base64.StdEncoding.EncodeToString(sum[:])
	meta := map[string]string{`al"bum`: "\\ <&> \u2028 日本 'x' ]},{"}
	for _, r := range []postern.Request{
		{Transfer: postern.Post},
		{Transfer: postern.Post, Size: &one, SHA256: hash, Metadata: meta},
		{Transfer: postern.Post, AnyType: true, RedirectURL: "https://app.example/done?id={id}&q=\"\\ <ü>\u2028$x"},
		{Transfer: postern.Put, Size: &one},
		{Transfer: postern.Put, Size: &one, SHA256: hash, MD5: sum[:16], Metadata: meta},
		{Transfer: postern.Multi, Size: &one},
		{Transfer: postern.Multi, Size: &big, SHA256: hash},
	} {
		r.Filename, r.Type = "ünï \"code\".jpg", "image/jpeg"
		g, err := x.s.Grant(x.t.Context(), postern.As("auth0|o'brien"), r)
		if err != nil {
			x.t.Fatalf("grant by %s: %v", r.Transfer, err)
		}
		what := fmt.Sprintf("%s: %s", x.what, g.Method)
		switch {
		case g.Fields != nil:
			list = append(list, x.form(what, g.Fields))
		case g.Parts == nil:
			list = append(list, x.request(what, g.URL, g.Headers, one))
		default:
			signed := g.Parts.Signed
			if g.Parts.Count > len(signed) {
				last, _, err := x.s.SignParts(x.t.Context(), "auth0|o'brien", g.Ticket.ID, g.Parts.Ticket, []int{g.Parts.Count - 1, g.Parts.Count})
				if err != nil {
					x.t.Fatal(err)
				}
				signed = append(signed, last...)
			}
			for _, p := range signed {
				list = append(list, x.request(fmt.Sprintf("%s, part %d", what, p.Number), p.URL, nil, p.Size))
			}
		}
	}
	return list
}

func (x *granting) signed(what string) signed {
	return signed{
		What: what, Region: x.target.Region, AccessKey: x.key.AccessKeyID, SecretKey: x.key.SecretAccessKey, Token: x.key.SessionToken,
	}
}

func (x *granting) form(what string, fields postern.Fields) signed {
	s := x.signed(what)
	for _, f := range fields {
		switch strings.ToLower(f.Name) {
		case "policy":
			s.Policy = f.Value
		case "x-amz-date":
			s.Date = f.Value
		case "x-amz-signature":
			s.Signature = f.Value
		}
	}
	if s.Policy == "" || s.Signature == "" {
		x.t.Fatalf("%s: fields %v", what, fields)
	}
	return s
}

// request takes the signature out of a URL; every header that is to be sent, and
// the length, must be among those signed.
func (x *granting) request(what, text string, headers postern.Fields, size int64) signed {
	s := x.signed(what)
	u, err := url.Parse(text)
	if err != nil {
		x.t.Fatal(err)
	}
	q := u.Query()
	s.Method, s.Date, s.Signature = http.MethodPut, q.Get("X-Amz-Date"), q.Get("X-Amz-Signature")
	if s.Expires, err = strconv.Atoi(q.Get("X-Amz-Expires")); err != nil {
		x.t.Fatal(err)
	}
	s.Headers = map[string]string{"content-length": strconv.FormatInt(size, 10)}
	for _, f := range headers {
		s.Headers[strings.ToLower(f.Name)] = f.Value
	}
	names := strings.Split(q.Get("X-Amz-SignedHeaders"), ";")
	if len(names) != len(s.Headers)+1 {
		x.t.Errorf("%s: signed are %v", what, names)
	}
	for name := range q {
		if strings.HasPrefix(name, "X-Amz-") {
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	s.URL = u.String()
	return s
}

// bySDK signs the requests with aws-sdk-go-v2.
func bySDK(t *testing.T, list []signed) []string {
	t.Helper()
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	out := make([]string, len(list))
	for i, s := range list {
		if s.Policy != "" {
			continue
		}
		at, err := time.Parse(sigv4.TimeFormat, s.Date)
		if err != nil {
			t.Fatal(err)
		}
		u := s.URL + "?"
		if strings.Contains(s.URL, "?") {
			u = s.URL + "&"
		}
		r, err := http.NewRequestWithContext(t.Context(), s.Method, u+"X-Amz-Expires="+strconv.Itoa(s.Expires), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range s.Headers {
			if name != "content-length" {
				r.Header.Set(name, value)
			}
		}
		if r.ContentLength, err = strconv.ParseInt(s.Headers["content-length"], 10, 64); err != nil {
			t.Fatal(err)
		}
		key := aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey, SessionToken: s.Token}
		text, _, err := signer.PresignHTTP(t.Context(), key, r, sigv4.UnsignedPayload, "s3", s.Region, at)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = theirs.Query().Get("X-Amz-Signature")
	}
	return out
}

// byProcess has another language sign. "make clients" installs what is needed
// and sets CI: what is missing is a failure then.
func byProcess(t *testing.T, list []signed, name string, command []string) (out []string) {
	t.Helper()
	in, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Dir, cmd.Stdin = filepath.Join("..", "s3d", "clients"), bytes.NewReader(in)
	answer, err := cmd.Output()
	if err != nil {
		var said []byte
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			said = exit.Stderr
		}
		if os.Getenv("POSTERN_CLIENTS_REQUIRED") == "" {
			t.Skipf("SKIPPED: %s does not run here (make clients installs it): %v", name, err)
		}
		t.Fatalf("%v\n%s", err, said)
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatal(err)
	}
	return out
}
