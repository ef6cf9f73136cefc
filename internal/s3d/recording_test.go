package s3d

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"postern.example/postern/sigv4"
)

// What clients ask of a server, how what they can look at looks before and after,
// and what its disk was told meanwhile: the material of the power loss test.

// ask sends a signed request straight to a server.
func ask(t testing.TB, s *Server, method, target string, body []byte, header map[string]string) reply {
	t.Helper()
	r := httptest.NewRequestWithContext(context.Background(), method, "http://bucket.example"+target, bytes.NewReader(body))
	for k, v := range header {
		r.Header.Set(k, v)
	}
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	sum := sha256.Sum256(body)
	must(t, sigv4.NewSigner(testRegion).SignHeader(testKey, s.now(), r, hex.EncodeToString(sum[:])))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	got := reply{w.Code, make(http.Header), w.Body.Bytes()}
	for name, v := range w.Header() {
		got.header.Set(name, v[0]) // as it would come over a connection
	}
	return got
}

// subject is something that a client can look at, and that a request changes as
// a whole or not at all.
type subject struct {
	bucket string
	target string
	look   func(t testing.TB, s *Server, target string) string
}

func (s subject) String() string { return s.target }

func objectAt(bucket, key string) subject {
	return subject{bucket, "/" + bucket + "/" + escapeKey(key, true), func(t testing.TB, s *Server, target string) string {
		r := ask(t, s, "GET", target, nil, map[string]string{"x-amz-checksum-mode": "ENABLED"})
		if r.status != 200 {
			return fmt.Sprintf("%d %s", r.status, r.code())
		}
		b := new(strings.Builder)
		fmt.Fprintf(b, "%d bytes with SHA-256 %x", len(r.body), sha256.Sum256(r.body))
		for _, name := range slices.Sorted(maps.Keys(r.header)) {
			switch lower := strings.ToLower(name); {
			case strings.HasPrefix(lower, metaPrefix), strings.HasPrefix(lower, checksumPrefix), slices.Contains([]string{"content-type", "content-length", "etag", "last-modified", "cache-control"}, lower):
				fmt.Fprintf(b, "\n%s: %s", lower, r.header[name][0])
			}
		}
		if r.header.Get("x-amz-tagging-count") != "" {
			r = ask(t, s, "GET", target+"?tagging", nil, nil)
			fmt.Fprintf(b, "\n%d %s", r.status, r.body)
		}
		return b.String()
	}}
}

func settingOf(bucket, name string) subject {
	return subject{bucket, "/" + bucket + "?" + name, func(t testing.TB, s *Server, target string) string {
		r := ask(t, s, "GET", target, nil, nil)
		if r.status != 200 {
			return fmt.Sprintf("%d %s", r.status, r.code())
		}
		return string(r.body)
	}}
}

func uploadAt(bucket, key, id string) subject {
	listed := regexp.MustCompile(`<(PartNumber|ETag|Size|ChecksumCRC\w+)>[^<]*`)
	return subject{bucket, "/" + bucket + "/" + key + "?uploadId=" + id, func(t testing.TB, s *Server, target string) string {
		r := ask(t, s, "GET", target, nil, nil)
		if r.status == 404 {
			return "404" // of the bucket as of the upload: nobody knew the id before it was given
		}
		return fmt.Sprintf("%d %s %q", r.status, r.code(), listed.FindAllString(string(r.body), -1))
	}}
}

func bucketNamed(name string) subject {
	return subject{name, "/" + name, func(t testing.TB, s *Server, target string) string {
		return fmt.Sprint(ask(t, s, "HEAD", target, nil, nil).status)
	}}
}

// moment is a request: between the steps from and to it was served, and then it
// was answered.
type moment struct {
	name          string
	from, to      int
	before, after map[string]string // what the subjects that it concerns looked like
	alone         bool              // no other request was served meanwhile
	changed       bool              // it was answered with success
}

// recording is a run of requests, and what a server's disk was told meanwhile.
type recording struct {
	*fixture
	recorder *recorder
	start    *volume

	mu       sync.Mutex
	subjects map[string]subject
	first    map[string]string // how the subjects looked before all
	moments  []moment
	together bool
}

// record starts a server that has nothing yet.
func record(t *testing.T) *recording {
	t.Helper()
	f := &fixture{t: t, dir: filepath.Join(t.TempDir(), "bucket"), log: new(syncBuffer), signer: sigv4.NewSigner(testRegion)}
	var err error
	f.server, err = New(Config{Dir: f.dir, Keys: []sigv4.Credentials{testKey}, Now: f.now})
	must(t, err)
	r := &recording{fixture: f, recorder: &recorder{t: t}, subjects: make(map[string]subject), first: make(map[string]string)}
	r.start = newVolume(t, f.dir)
	f.server.disk.trace = r.recorder.note
	h := httptest.NewServer(f.server)
	f.url = h.URL
	t.Cleanup(func() {
		h.Close()
		must(t, f.server.Close())
	})
	return r
}

// know adds subjects as they look now.
func (r *recording) know(all ...subject) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range all {
		r.subjects[s.target] = s
		r.first[s.target] = s.look(r.t, r.server, s.target)
	}
}

// of returns all known subjects of a bucket.
func (r *recording) of(bucket string) []subject {
	var all []subject
	for _, s := range r.subjects {
		if s.bucket == bucket {
			all = append(all, s)
		}
	}
	return all
}

// step sends a request and expects its answer.
func (r *recording) step(name string, status int, send func() reply, concerns ...subject) reply {
	r.t.Helper()
	m := moment{name: name, before: make(map[string]string), after: make(map[string]string), alone: !r.together}
	for _, s := range concerns {
		m.before[s.target] = s.look(r.t, r.server, s.target)
	}
	m.from = r.recorder.count()
	got := send()
	m.to = r.recorder.count()
	if got.status != status {
		r.t.Fatalf("%s: answer is %d, want %d\n%s", name, got.status, status, got.body)
	}
	m.changed = status < 300
	for _, s := range concerns {
		m.after[s.target] = s.look(r.t, r.server, s.target)
		if !m.changed && m.after[s.target] != m.before[s.target] {
			r.t.Errorf("%s was refused and changed %s", name, s)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moments = append(r.moments, m)
	return got
}

// ask is step for a request that is signed by header.
func (r *recording) ask(status int, method, target, body string, header map[string]string, concerns ...subject) reply {
	r.t.Helper()
	if header == nil && method != "DELETE" && strings.Contains(target, "?") && !strings.Contains(target, "uploadId") {
		sum := md5.Sum([]byte(body)) // settings insist on it
		header = map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(sum[:])}
	}
	return r.step(method+" "+target, status, func() reply { return r.do(method, target, []byte(body), header) }, concerns...)
}

// write is ask for an object's whole body, and looks whether it has arrived.
func (r *recording) write(key, body string, header map[string]string) {
	r.t.Helper()
	to := objectAt(testBucket, key)
	r.ask(200, "PUT", to.target, body, header, to)
	if got := r.get(key); string(got.body) != body {
		r.t.Errorf("%s is %d bytes, want %d", key, len(got.body), len(body))
	}
}

// form is ask for a form.
func (r *recording) form(status int, key, file string) {
	r.t.Helper()
	spec := formSpec{fields: []sigv4.Field{field("key", key), field("Content-Type", "image/png"), field("x-amz-meta-by", "form")}, file: &file}
	r.step("POST "+key, status, func() reply { return r.post(spec) }, objectAt(testBucket, key))
	if got := r.get(key); status < 300 && string(got.body) != file {
		r.t.Errorf("%s is %q, want %q", key, got.body, file)
	}
}

func (r *recording) begin(key string) subject {
	r.t.Helper()
	got := r.ask(200, "POST", "/"+testBucket+"/"+key+"?uploads", "", map[string]string{"x-amz-meta-made-of": "parts"})
	u := uploadAt(testBucket, key, got.element("UploadId"))
	m := &r.moments[len(r.moments)-1]
	r.subjects[u.target], r.first[u.target] = u, ""
	// Nobody can have asked for it before: what it was then is its absence.
	m.before[u.target], m.after[u.target] = "404", u.look(r.t, r.server, u.target)
	r.first[u.target] = m.before[u.target]
	return u
}

func (r *recording) part(u subject, number int, body string) (etag string) {
	r.t.Helper()
	return r.ask(200, "PUT", fmt.Sprintf("%s&partNumber=%d", u.target, number), body, nil, u).header.Get("ETag")
}

func (r *recording) complete(u subject, status int, etags ...string) {
	r.t.Helper()
	doc := "<CompleteMultipartUpload>"
	for i, etag := range etags {
		doc += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, etag)
	}
	path, _, _ := strings.Cut(u.target, "?")
	r.ask(status, "POST", u.target, doc+"</CompleteMultipartUpload>", nil, u, r.subjects[path])
}

const (
	replayCORS      = `<CORSConfiguration><CORSRule><AllowedOrigin>https://%s.example</AllowedOrigin><AllowedMethod>POST</AllowedMethod></CORSRule></CORSConfiguration>`
	replayPublic    = `<PublicAccessBlockConfiguration><BlockPublicPolicy>%t</BlockPublicPolicy></PublicAccessBlockConfiguration>`
	replayPolicy    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/%s/*"}]}`
	replayLifecycle = `<LifecycleConfiguration><Rule><ID>%s</ID><Status>Enabled</Status><Filter><Prefix>old/</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>`
	replayOwner     = `<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>`
	replayTags      = `<Tagging><TagSet><Tag><Key>%s</Key><Value>1</Value></Tag></TagSet></Tagging>`
)

// recordAll sends at least one of each request that changes something.
func recordAll(t *testing.T) *recording {
	r := record(t)
	long := strings.Repeat("long/", 100) // its file is not named after it alone
	keys := []string{"a", "b", "up/a", "copy", "dir/", long, "parts", "aborted", "open", "d1", "d2", "large", "together/0", "together/1", "together/2", "together/3"}
	for _, k := range keys {
		r.know(objectAt(testBucket, k))
	}
	settings := []string{"cors", "policy", "publicAccessBlock", "lifecycle", "ownershipControls"}
	for _, b := range []string{testBucket, "second"} {
		r.know(bucketNamed(b))
		for _, s := range settings {
			r.know(settingOf(b, s))
		}
	}
	r.know(objectAt("second", "only"))
	at := func(key string) subject { return objectAt(testBucket, key) }

	r.ask(200, "PUT", "/photos", "", nil, r.of(testBucket)...)
	r.write("a", "first", nil)
	r.write("a", "second, and longer", map[string]string{"Content-Type": "text/plain", "x-amz-meta-n": "2", "Cache-Control": "no-cache"})
	r.write("a", "third", map[string]string{"x-amz-tagging": "k=v&l="})
	r.ask(400, "PUT", "/photos/a", "not what it says", map[string]string{"Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}, at("a"))
	r.ask(412, "PUT", "/photos/a", "fourth", map[string]string{"If-None-Match": "*"}, at("a"))
	r.ask(412, "PUT", "/photos/a", "fourth", map[string]string{"If-Match": `"00000000000000000000000000000000"`}, at("a"))
	r.write("a", "fourth", map[string]string{"If-Match": r.get("a").header.Get("ETag")})
	r.write("b", "new", map[string]string{"If-None-Match": "*"})
	r.write(long, "a name beyond what a file's may have", nil)
	r.write("dir/", "", nil)
	r.form(204, "up/a", "hello")
	r.form(204, "up/a", "hello again")
	r.form(400, "up/a", strings.Repeat("more than the policy allows", 10))

	for _, name := range []string{"one", "two"} {
		r.ask(200, "PUT", "/photos?cors", fmt.Sprintf(replayCORS, name), nil, settingOf(testBucket, "cors"))
		r.ask(204, "PUT", "/photos?policy", fmt.Sprintf(replayPolicy, name), nil, settingOf(testBucket, "policy"))
		r.ask(200, "PUT", "/photos?publicAccessBlock", fmt.Sprintf(replayPublic, name == "one"), nil, settingOf(testBucket, "publicAccessBlock"))
		r.ask(200, "PUT", "/photos?lifecycle", fmt.Sprintf(replayLifecycle, name), nil, settingOf(testBucket, "lifecycle"))
		r.ask(200, "PUT", "/photos?ownershipControls", replayOwner, nil, settingOf(testBucket, "ownershipControls"))
		r.ask(200, "PUT", "/photos/a?tagging", fmt.Sprintf(replayTags, name), nil, at("a"))
	}
	r.ask(400, "PUT", "/photos?cors", "<CORSConfiguration/>", nil, settingOf(testBucket, "cors"))
	for _, name := range settings[:4] {
		r.ask(204, "DELETE", "/photos?"+name, "", nil, settingOf(testBucket, name))
	}
	r.ask(200, "PUT", "/photos?cors", fmt.Sprintf(replayCORS, "three"), nil, settingOf(testBucket, "cors"))
	r.ask(204, "DELETE", "/photos/a?tagging", "", nil, at("a"))

	r.ask(200, "PUT", "/photos/copy", "", map[string]string{"x-amz-copy-source": "/photos/a"}, at("copy"))
	r.ask(200, "PUT", "/photos/copy", "", map[string]string{"x-amz-copy-source": "/photos/b", "x-amz-metadata-directive": "REPLACE", "x-amz-meta-new": "1"}, at("copy"))
	r.ask(200, "PUT", "/photos/b", "", map[string]string{"x-amz-copy-source": "/photos/b", "x-amz-metadata-directive": "REPLACE", "x-amz-meta-own": "1"}, at("b"))

	r.write("d1", "1", nil)
	r.write("d2", "2", nil)
	r.ask(200, "POST", "/photos?delete", "<Delete><Object><Key>d1</Key></Object><Object><Key>none</Key></Object><Object><Key>d2</Key></Object></Delete>", nil, at("d1"), at("d2"))
	r.ask(204, "DELETE", "/photos/a", "", nil, at("a"))
	r.ask(204, "DELETE", "/photos/a", "", nil, at("a"))

	u := r.begin("parts")
	etag := r.part(u, 1, "the only part, first")
	etag = r.part(u, 1, "the only part, second"+etag)
	r.complete(u, 400, `"00000000000000000000000000000000"`)
	r.complete(u, 200, etag)
	r.write("parts", "what was made of them is gone, and the upload must not come back", nil)
	u = r.begin("aborted")
	r.part(u, 1, "one")
	r.part(u, 7, "seven")
	r.ask(204, "DELETE", u.target, "", nil, u, at("aborted"))
	r.part(r.begin("open"), 2, "to be continued")

	r.ask(200, "PUT", "/second", "", nil, r.of("second")...)
	r.ask(200, "PUT", "/second/only", "x", nil, objectAt("second", "only"))
	r.ask(200, "PUT", "/second?cors", fmt.Sprintf(replayCORS, "second"), nil, settingOf("second", "cors"))
	r.ask(200, "PUT", "/second?lifecycle", fmt.Sprintf(replayLifecycle, "second"), nil, settingOf("second", "lifecycle"))
	r.ask(409, "DELETE", "/second", "", nil, r.of("second")...)
	r.ask(204, "DELETE", "/second/only", "", nil, objectAt("second", "only"))
	r.ask(204, "DELETE", "/second", "", nil, r.of("second")...)
	r.ask(200, "PUT", "/second", "", nil, r.of("second")...)

	r.together = true
	var all sync.WaitGroup
	for i := range 4 {
		key := fmt.Sprint("together/", i)
		all.Go(func() {
			r.write(key, "one", nil)
			r.form(204, key, "two")
			r.ask(204, "DELETE", at(key).target, "", nil, at(key))
			r.write(key, "three", nil)
		})
	}
	all.Wait()
	r.together = false

	u = r.begin("large")
	one := r.part(u, 1, strings.Repeat("5 MiB and more. ", 5<<16+1))
	two := r.part(u, 2, "the end")
	r.complete(u, 200, one, two)
	return r
}
