package doctor

import (
	"bytes"
	"context"
	"crypto/md5" // Content-MD5, which S3 wants of settings
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/posterntest"
	"postern.example/postern/sigv4"
)

const (
	testBucket = "photos"
	testRegion = "us-east-1"
	testOrigin = "https://app.example"
)

// What setup writes, for the bucket photos.
const (
	goodSigner = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":"arn:aws:s3:::photos/incoming/*"}]}`
	goodWorker = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":"arn:aws:s3:::photos/incoming/*"},
		{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::photos/images/*"},
		{"Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketMultipartUploads"],"Resource":"arn:aws:s3:::photos"}]}`
	goodCORS = `<CORSConfiguration><CORSRule>
		<AllowedOrigin>https://app.example</AllowedOrigin><AllowedOrigin>http://localhost:8080</AllowedOrigin>
		<AllowedMethod>POST</AllowedMethod><AllowedMethod>PUT</AllowedMethod>
		<AllowedHeader>content-type</AllowedHeader><AllowedHeader>content-md5</AllowedHeader><AllowedHeader>if-none-match</AllowedHeader>
		<AllowedHeader>x-amz-checksum-sha256</AllowedHeader><AllowedHeader>x-amz-meta-postern</AllowedHeader>
		<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>3600</MaxAgeSeconds></CORSRule></CORSConfiguration>`
	goodLifecycle = `<LifecycleConfiguration><Rule><ID>incoming</ID><Status>Enabled</Status><Filter><Prefix>incoming/</Prefix></Filter>
		<Expiration><Days>1</Days></Expiration><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule></LifecycleConfiguration>`
)

// ward is how a bucket under test differs from a healthy one. The zero value is
// healthy.
type ward struct {
	signer, worker  string // policies of the two users
	cors, lifecycle string // documents; "none": there is none
	policy          string // of the bucket; set with Block Public Access off
	region          string
	now             func() time.Time // the bucket's clock
	// front stands before the bucket, as a proxy or as another server would.
	front func(bucket http.Handler) http.Handler
	tls   bool // front has a certificate, which Config.HTTP trusts
}

// bed is a bucket under test and what is configured for it.
type bed struct {
	t        *testing.T
	s3       *posterntest.S3
	owner    *exam // asks as the owner, past front
	Config   Config
	signer   sigv4.Credentials
	worker   sigv4.Credentials
	frontend *httptest.Server
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// admit starts a bucket until the test ends.
func admit(t *testing.T, w ward) *bed {
	t.Helper()
	b := &bed{t: t, signer: signerKey(), worker: workerKey()}
	b.s3 = posterntest.StartBucket(t, posterntest.BucketConfig{
		Buckets: []string{testBucket}, Region: or(w.region, testRegion), Now: w.now,
		Key: sigv4.Credentials{AccessKeyID: "OWNERKEY000000000001", SecretAccessKey: "the-owners-secret-00000000000000000000001"},
		Users: []posterntest.BucketUser{
			{Name: "photos-signer", Key: b.signer, Policy: or(w.signer, goodSigner)},
			{Name: "photos-worker", Key: b.worker, Policy: or(w.worker, goodWorker)},
		},
	})
	b.Config = healthyConfig(b.s3.Endpoint + "/" + testBucket)
	b.Config.Signer, b.Config.Worker, b.Config.Inspector = always(b.signer), always(b.worker), always(b.s3.Key)
	// Servers end when their last connection does, so none is shared.
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	b.Config.HTTP = &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	owner := b.Config
	owner.Region, owner.Now = b.s3.Region, w.now
	var err error
	if b.owner, err = newExam(owner); err != nil {
		t.Fatal(err)
	}
	if cors := or(w.cors, goodCORS); cors != "none" {
		b.set("cors", cors)
	}
	if lifecycle := or(w.lifecycle, goodLifecycle); lifecycle != "none" {
		b.set("lifecycle", lifecycle)
	}
	if w.policy != "" {
		b.ask(ask{method: http.MethodDelete, query: "publicAccessBlock"})
		b.set("policy", w.policy)
	}
	if w.front == nil && w.tls {
		w.front = func(next http.Handler) http.Handler { return next }
	}
	if w.front != nil {
		b.putInFront(w.front, w.tls)
	}
	return b
}

func signerKey() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: "SIGNERKEY00000000001", SecretAccessKey: "the-signers-secret-0000000000000000000001"}
}

func workerKey() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: "WORKERKEY00000000001", SecretAccessKey: "the-workers-secret-0000000000000000000001"}
}

// healthyConfig is the configuration of our own bucket at an address.
func healthyConfig(address string) Config {
	provider, _ := postern.ProviderByName("embedded")
	return Config{
		URL: address, Bucket: testBucket, Region: testRegion, Provider: provider,
		Origins: []string{testOrigin, "http://localhost:8080"},
		Signer:  always(signerKey()), Worker: always(workerKey()),
		Transfers: []postern.Transfer{postern.Post, postern.Put, postern.Multi}, MaxBytes: 25_000_000,
		Embedded: true,
	}
}

func always(c sigv4.Credentials) Credentials {
	return func(context.Context) (sigv4.Credentials, error) { return c, nil }
}

// putInFront has the doctor come by another server, which may pass on what it
// is asked to the bucket.
func (b *bed) putInFront(front func(http.Handler) http.Handler, encrypted bool) {
	to, err := url.Parse(b.s3.Endpoint)
	if err != nil {
		b.t.Fatal(err)
	}
	// Host is signed, so it stays.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
	}}
	b.frontend = httptest.NewUnstartedServer(front(proxy))
	if encrypted {
		b.frontend.StartTLS()
		b.Config.HTTP.Transport = b.frontend.Client().Transport
	} else {
		b.frontend.Start()
	}
	b.t.Cleanup(b.frontend.Close)
	b.Config.URL = b.frontend.URL + "/" + testBucket
}

// ask asks as the owner, past everything; the answer must be good.
func (b *bed) ask(a ask) *answer {
	b.t.Helper()
	a.signed = &b.s3.Key
	got, err := b.owner.do(b.t.Context(), a)
	if err != nil {
		b.t.Fatal(err)
	}
	if !got.ok() {
		b.t.Fatalf("%s %s?%s: %s", a.method, a.key, a.query, got)
	}
	return got
}

// set makes a setting of the bucket.
func (b *bed) set(query, doc string) {
	b.t.Helper()
	sum := md5.Sum([]byte(doc))
	b.ask(ask{method: http.MethodPut, query: query, body: []byte(doc), header: http.Header{"Content-Md5": {base64.StdEncoding.EncodeToString(sum[:])}}})
}

// put writes an object.
func (b *bed) put(key, content string) {
	b.t.Helper()
	b.ask(ask{method: http.MethodPut, key: key, body: []byte(content)})
}

// contents is everything that the bucket has: objects and unfinished uploads,
// as its listings.
func (b *bed) contents() string {
	b.t.Helper()
	var all []string
	for _, query := range []string{"list-type=2", "uploads="} {
		for _, tag := range []string{"Key", "ETag", "UploadId"} {
			body := string(b.ask(ask{query: query}).Body)
			for _, rest := range strings.Split(body, "<"+tag+">")[1:] {
				value, _, _ := strings.Cut(rest, "<")
				all = append(all, tag+" "+value)
			}
		}
	}
	return strings.Join(all, "\n")
}

// run runs the doctor, which must get to the end.
func (b *bed) run(only ...string) *Report {
	b.t.Helper()
	c := b.Config
	c.Only = only
	r, err := Run(b.t.Context(), c, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// first demands that what comes first in the report that is not well has an id,
// and that its cause has the words.
func (r *Report) first(t *testing.T, id string, words ...string) Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Status != Fault && f.Status != Warn {
			continue
		}
		if f.ID != id {
			t.Errorf("first is %s, want %s", f.ID, id)
		}
		for _, w := range words {
			if !strings.Contains(f.Cause, w) {
				t.Errorf("cause %q, want %q in it", f.Cause, w)
			}
		}
		if f.Cause == "" || f.Cure == "" || f.Title == "" || strings.ContainsAny(f.Cause+f.Cure, "{}") {
			t.Errorf("without all there must be: %+v", f)
		}
		if t.Failed() {
			t.Logf("%+v", f)
		}
		return f
	}
	t.Errorf("all is well, want %s", id)
	return Finding{}
}

// drained reads what a server does not, so that a client gets the answer.
func drained(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		h(w, r)
	}
}
