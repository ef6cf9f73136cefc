package assume

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"postern.example/postern/sigv4"
)

// form is a form to be posted. The zero value is a good one: key "a" below the
// prefix, a file "hello", a condition for each field and one that allows 1 to
// 100 bytes.
type form struct {
	key        string              // instead of prefix + "a"
	fields     []sigv4.Field       // besides the key
	conditions []sigv4.Condition   // instead of those for key, fields and size
	more       []sigv4.Condition   // besides them
	document   func(string) string // changes the policy's text before it is signed
	expires    time.Duration       // from now; default 10 minutes
	signed     time.Time           // default now
	by         sigv4.Credentials   // default the server's
	region     string              // default the server's
	set        []sigv4.Field       // replaced or added once it is signed, without a condition
	drop       []string            // not sent
	rename     func(string) string // of fields
	filename   string              // default "hello.txt"              // of the file's part
	unnamed    bool                // filename=""
	nameless   bool                // the file's part has no filename
	everywhere bool                // every part has a filename
	file       string              // default "hello"
	empty      bool                // the file is empty
	noFile     bool
	after      []sigv4.Field // sent behind the file
	header     []string
	target     string // default the bucket
}

// fields pairs names with values.
func fields(pairs ...string) []sigv4.Field {
	var all []sigv4.Field
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, sigv4.Field{Name: pairs[i], Value: pairs[i+1]})
	}
	return all
}

// sealed returns the form's fields with policy and signature.
func (b *Bucket) sealed(f *form) []sigv4.Field {
	if f.key == "" {
		f.key = b.Prefix + "a"
	}
	if f.by.AccessKeyID == "" {
		f.by = b.Credentials
	}
	if f.region == "" {
		f.region = b.Region
	}
	if f.expires == 0 {
		f.expires = 10 * time.Minute
	}
	if f.signed.IsZero() {
		f.signed = time.Now()
	}
	sent := append(fields("key", f.key), f.fields...)
	conditions := f.conditions
	if conditions == nil {
		conditions = []sigv4.Condition{sigv4.Eq("bucket", b.Name), sigv4.LengthRange(1, 100)}
		for _, x := range sent {
			conditions = append(conditions, sigv4.Eq(x.Name, x.Value))
		}
	}
	policy := &sigv4.Policy{
		Expiration: time.Now().Add(f.expires).UTC().Truncate(time.Second),
		Conditions: slices.Concat(conditions, f.more),
	}
	seal := sigv4.NewSigner(f.region).Post(f.by, f.signed, policy)
	if f.document != nil {
		text, _ := base64.StdEncoding.DecodeString(seal[0].Value) // we wrote it
		seal[0].Value = base64.StdEncoding.EncodeToString([]byte(f.document(string(text))))
		seal[len(seal)-1].Value = hex.EncodeToString(mac(signingKey(f.by, f.signed, f.region), seal[0].Value))
	}
	return append(sent, seal...)
}

// body writes the form and returns it with its Content-Type.
func (b *Bucket) body(f form) (body, contentType string) {
	sent := b.sealed(&f)
	for _, x := range f.set {
		i := slices.IndexFunc(sent, func(s sigv4.Field) bool { return s.Name == x.Name })
		if i < 0 {
			i = len(sent)
			sent = append(sent, x)
		}
		sent[i].Value = x.Value
	}
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	part := func(disposition, content string) {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {"form-data; " + disposition}})
		if err == nil {
			_, err = p.Write([]byte(content))
		}
		if err != nil { // it is written into memory
			panic("assume: " + err.Error())
		}
	}
	field := func(x sigv4.Field) {
		if f.rename != nil {
			x.Name = f.rename(x.Name)
		}
		disposition := `name="` + x.Name + `"`
		if f.everywhere {
			disposition += `; filename="` + x.Name + `"`
		}
		part(disposition, x.Value)
	}
	for _, x := range sent {
		if !slices.Contains(f.drop, x.Name) {
			field(x)
		}
	}
	if f.file == "" && !f.empty {
		f.file = "hello"
	}
	if f.filename == "" && !f.unnamed {
		f.filename = "hello.txt"
	}
	switch {
	case f.noFile:
	case f.nameless:
		part(`name="file"`, f.file)
	default:
		part(`name="file"; filename="`+f.filename+`"`, f.file)
	}
	for _, x := range f.after {
		field(x)
	}
	w.Close() //nolint:errcheck // into memory
	return buf.String(), w.FormDataContentType()
}

// posting makes the request of a form.
func (b *Bucket) posting(f form) *http.Request {
	body, contentType := b.body(f)
	return b.request("POST", f.target, body, append([]string{"Content-Type", contentType}, f.header...)...)
}

// post posts a form.
func (b *Bucket) post(f form) Answer { return b.exchange(b.posting(f)) }

// signingKey derives a key by the four steps of signature version 4, and mac
// uses it: for texts that package sigv4 would not sign.
func signingKey(c sigv4.Credentials, now time.Time, region string) []byte {
	key := []byte("AWS4" + c.SecretAccessKey)
	for _, step := range []string{now.UTC().Format(sigv4.DateFormat), region, "s3", "aws4_request"} {
		key = mac(key, step)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// replaced returns a change of a policy's text.
func replaced(old, with string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, with, 1) }
}
