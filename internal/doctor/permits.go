package doctor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

// What is sent: a few bytes that are no picture, of a type that the gate takes.
const (
	testType = "image/png"
	// testSize is how many bytes a file of ours has; testLimit how many the
	// permissions allow.
	testSize  = 1000
	testLimit = 2000
	testLife  = 5 * time.Minute
)

// content is a file of n bytes, of no other probe's.
func (x *exam) content(n int) []byte {
	return bytes.Repeat([]byte(x.name+" "), n/len(x.name)+1)[:n]
}

// permit is a permission for one file, as the gate signs it.
type permit struct {
	key      string
	min, max int64
	sha256   []byte    // of the file, when it is bound
	at       time.Time // when it is signed; zero: now
}

// ticket stands where a grant has its ticket. It opens nothing, and no upload
// has it.
func (x *exam) ticket() string {
	if x.notes["ticket"] == "" {
		x.notes["ticket"] = rand.Text()
	}
	return x.notes["ticket"]
}

func (x *exam) when(p *permit) time.Time {
	if p.at.IsZero() {
		return x.now()
	}
	return p.at
}

// form is the permission as a form's fields: those of a grant.
func (x *exam) form(p permit) []field {
	fields := []field{{"Content-Type", testType}, {"success_action_status", "204"}, {"key", p.key}, {postern.TicketHeader, x.ticket()}}
	if p.sha256 != nil {
		fields = append(fields, field{"x-amz-checksum-algorithm", "SHA256"}, field{"x-amz-checksum-sha256", base64.StdEncoding.EncodeToString(p.sha256)})
	}
	conditions := []sigv4.Condition{sigv4.Eq("bucket", x.c.Bucket)}
	for _, f := range fields {
		conditions = append(conditions, sigv4.Eq(f.name, f.value))
	}
	conditions = append(conditions, sigv4.LengthRange(p.min, p.max))
	at := x.when(&p)
	for _, f := range x.sign.Post(x.signer, at, &sigv4.Policy{Expiration: at.Add(testLife), Conditions: conditions}) {
		fields = append(fields, field{f.Name, f.Value})
	}
	return fields
}

// put is the permission as a signed URL for size bytes, with the headers that
// were signed. The length is not among them: clients set it by themselves.
func (x *exam) put(p permit, size int) (ask, error) {
	h := http.Header{"Content-Type": {testType}, http.CanonicalHeaderKey(postern.TicketHeader): {x.ticket()}}
	if x.c.Provider.IfNoneMatch == postern.Yes {
		h.Set("If-None-Match", "*")
	}
	if p.sha256 != nil {
		h.Set("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(p.sha256))
	}
	signed := h.Clone()
	signed.Set("Content-Length", strconv.Itoa(size))
	return x.presigned(http.MethodPut, p.key, "", signed, h, x.when(&p))
}

// presigned signs a URL for a key and a query; the headers in signed are bound,
// those in sent are sent.
func (x *exam) presigned(method, key, query string, signed, sent http.Header, at time.Time) (ask, error) {
	u := *x.base
	u.Path += "/" + key
	u.RawQuery = query
	to, err := x.sign.Presign(x.signer, at, sigv4.Request{Method: method, URL: &u, Header: signed, Expires: testLife})
	return ask{method: method, url: to, header: sent}, err
}

// takesForms says whether forms are to be tried here.
func (x *exam) takesForms() bool {
	return x.uses(postern.Post) && x.c.Provider.Post != postern.No
}

// uses says whether the presets use a transfer.
func (x *exam) uses(t postern.Transfer) bool {
	if len(x.c.Transfers) == 0 {
		return t == postern.Post || t == postern.Put
	}
	return slices.Contains(x.c.Transfers, t)
}

// uploaded is the key of a file that arrived, sent as the presets send; "" when
// nothing gets in. It is sent once, and shared by the probes that need one.
func (x *exam) uploaded(ctx context.Context) string {
	if key, ok := x.notes["uploaded"]; ok {
		return key
	}
	key := x.incoming("file")
	got, err := x.arrive(ctx, permit{key: key, min: 1, max: testLimit}, x.content(testSize))
	if err != nil || !got.ok() {
		key = ""
	}
	x.notes["uploaded"] = key
	return key
}

// arrive sends a file by the way that the presets use.
func (x *exam) arrive(ctx context.Context, p permit, file []byte) (*answer, error) {
	if x.takesForms() {
		return x.post(ctx, x.form(p), file, "")
	}
	a, err := x.put(p, len(file))
	if err != nil {
		return nil, err
	}
	a.body = file
	return x.do(ctx, a)
}

// skipped is a finding about what does not apply.
func skipped(title, why string) []Finding {
	return []Finding{{Status: Skipped, Title: title, Got: why}}
}

func sum(file []byte) []byte {
	s := sha256.Sum256(file)
	return s[:]
}

// escaped is a query of one parameter.
func escaped(name, value string) string { return name + "=" + url.QueryEscape(value) }
