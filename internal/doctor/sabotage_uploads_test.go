package doctor

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
)

// sent is an upload as a careless server sees it.
type sent struct {
	*http.Request
	key  string
	form map[string]string // nil: it is a PUT
	file []byte
}

// expired says whether the policy of a form has run out.
func (s *sent) expired() bool {
	doc, err := base64.StdEncoding.DecodeString(s.form["policy"])
	var p struct{ Expiration time.Time }
	return err == nil && json.Unmarshal(doc, &p) == nil && p.Expiration.Before(time.Now())
}

// ends says whether the key is that of a probe.
func (s *sent) ends(with ...string) bool {
	return slices.ContainsFunc(with, func(w string) bool { return strings.HasSuffix(s.key, "-"+w) })
}

// careless starts a bucket behind a server that stores what fits, whatever was
// signed, and otherwise does as S3 does.
func careless(t *testing.T, fits func(*sent) bool) *bed {
	t.Helper()
	var b *bed
	b = admit(t, ward{front: func(bucket http.Handler) http.Handler {
		return drained(func(w http.ResponseWriter, r *http.Request) {
			if b == nil || r.Header.Get("Authorization") != "" { // the worker and the owner
				bucket.ServeHTTP(w, r)
				return
			}
			s := read(r)
			if s == nil || !fits(s) {
				bucket.ServeHTTP(w, r)
				return
			}
			b.put(s.key, string(s.file))
			w.WriteHeader(http.StatusOK)
		})
	}})
	return b
}

// read returns what is uploaded; nil: it is no upload.
func read(r *http.Request) *sent {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s := &sent{Request: r, key: strings.TrimPrefix(r.URL.Path, "/"+testBucket+"/"), file: body}
	if r.Method == http.MethodPut {
		return s
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if r.Method != http.MethodPost || err != nil || kind != "multipart/form-data" {
		return nil
	}
	s.form = map[string]string{}
	form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := form.NextPart()
		if err != nil {
			s.key = s.form["key"]
			return s
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil
		}
		if part.FormName() == "file" {
			s.file = content
		} else {
			s.form[strings.ToLower(part.FormName())] = string(content)
		}
	}
}

// Each thing that S3 refuses, accepted by a server that is less strict.
func TestSabotage_Attacks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fits  func(*sent) bool
		id    string
		words string
		want  Status
	}{
		"larger":        {func(s *sent) bool { return s.form != nil && len(s.file) > testLimit }, "attack.size", "size range", Fault},
		"smaller":       {func(s *sent) bool { return s.form != nil && s.ends("under") && len(s.file) > 0 }, "attack.size", "size range", Fault},
		"empty":         {func(s *sent) bool { return s.form != nil && len(s.file) == 0 }, "attack.size", "size range", Fault},
		"form's type":   {func(s *sent) bool { return s.form["content-type"] == "text/html" }, "attack.type", "HTML", Fault},
		"PUT's type":    {func(s *sent) bool { return s.form == nil && s.Header.Get("Content-Type") == "text/html" }, "attack.type", "HTML", Fault},
		"form's key":    {func(s *sent) bool { return s.form != nil && s.ends("key-other") }, "attack.key", "overwrite everything", Fault},
		"PUT's key":     {func(s *sent) bool { return s.form == nil && s.ends("key-other") }, "attack.key", "overwrite everything", Fault},
		"form's expiry": {func(s *sent) bool { return s.form != nil && s.expired() }, "attack.expired", "run out", Fault},
		"PUT's expiry":  {func(s *sent) bool { return s.ends("expired-put") }, "attack.expired", "run out", Fault},
		"signature":     {func(s *sent) bool { return s.ends("tampered") }, "attack.tampered", "does not check the signature", Fault},
		"URL's life": {func(s *sent) bool {
			return s.ends("tampered-put") && s.URL.Query().Get("X-Amz-Expires") == "86400"
		}, "attack.tampered", "signature of URLs", Fault},
		"URL's signature": {func(s *sent) bool {
			return s.ends("tampered-put") && s.URL.Query().Get("X-Amz-Expires") != "86400"
		}, "attack.tampered", "signature of URLs", Fault},
		"fields":         {func(s *sent) bool { return s.form["acl"] != "" }, "attack.field", "does not name", Fault},
		"length":         {func(s *sent) bool { return s.ends("length") }, "attack.put-length", "a file of any size", Fault},
		"checksum":       {func(s *sent) bool { return s.ends("checksum") }, "upload.checksum", "not the one that was signed", Warn},
		"no overwriting": {func(s *sent) bool { return s.ends("overwrite") }, "upload.overwrite", "ignores If-None-Match", Warn},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := careless(t, c.fits)
			before := b.contents()
			if f := b.run("upload", "attack").first(t, c.id, c.words); f.Status != c.want {
				t.Errorf("%+v", f)
			}
			if after := b.contents(); after != before {
				t.Errorf("left behind: %s", after)
			}
		})
	}
}

// Servers that obey what was not signed.
func TestSabotage_UnsignedHeaders(t *testing.T) {
	t.Parallel()
	t.Run("copy", func(t *testing.T) {
		t.Parallel()
		var b *bed
		b = careless(t, func(s *sent) bool {
			source := strings.TrimPrefix(s.Header.Get("X-Amz-Copy-Source"), "/"+testBucket+"/")
			if source == "" {
				return false
			}
			s.file = b.ask(ask{key: source}).Body
			return true
		})
		b.run("attack.headers").first(t, "attack.headers", "x-amz-copy-source", "other people's files")
	})
	t.Run("acl", func(t *testing.T) {
		t.Parallel()
		var b *bed
		b = admit(t, ward{front: func(bucket http.Handler) http.Handler {
			return drained(func(w http.ResponseWriter, r *http.Request) {
				switch s := read(r); {
				case s != nil && r.Header.Get("X-Amz-Acl") != "":
					b.put(s.key, string(s.file))
				case r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "-acl"):
				default:
					bucket.ServeHTTP(w, r)
				}
			})
		}})
		b.run("attack.headers").first(t, "attack.headers", "x-amz-acl", "unchecked")
	})
}

func TestSabotage_Uploads(t *testing.T) {
	t.Parallel()
	front := func(change func(w http.ResponseWriter, r *http.Request) bool) ward {
		return ward{front: func(bucket http.Handler) http.Handler {
			return drained(func(w http.ResponseWriter, r *http.Request) {
				if !change(w, r) {
					bucket.ServeHTTP(w, r)
				}
			})
		}}
	}
	for name, c := range map[string]struct {
		ward  ward
		id    string
		words string
	}{
		"no forms, as R2 says it": {front(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || r.URL.RawQuery != "" {
				return false
			}
			s3Error(w, http.StatusNotImplemented, "NotImplemented", "PostObject not implemented", "")
			return true
		}), "upload.post", "has no form uploads"},
		"other bytes": {front(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "-form") {
				w.Write([]byte("something else")) //nolint:errcheck // the asker notices
				return true
			}
			return false
		}), "upload.post", "changes what is sent"},
		"the signer may not write":      {ward{signer: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/uploads/*"}}`}, "upload.post", "may not put objects below incoming/"},
		"the signer may not list parts": {ward{signer: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::photos/incoming/*"}}`}, "upload.multipart", "may not send files in parts"},
		"the worker may not read":       {ward{worker: strings.Replace(goodWorker, `"s3:GetObject","s3:DeleteObject","s3:AbortMultipartUpload"`, `"s3:DeleteObject","s3:AbortMultipartUpload"`, 1)}, "upload.post", "The worker's key may not read this"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := admit(t, c.ward)
			if f := b.run("upload").first(t, c.id, c.words); f.Status != Fault {
				t.Errorf("%+v", f)
			}
		})
	}
}

// A server that fails has refused nothing, and has allowed nothing.
func TestSabotage_Failing(t *testing.T) {
	t.Parallel()
	for id, fails := range map[string]func(*http.Request) bool{
		"attack.size":      func(r *http.Request) bool { s := read(r); return s != nil && s.ends("over") },
		"anonymous.read":   func(r *http.Request) bool { return unsigned(r) && strings.HasSuffix(r.URL.Path, "-file") },
		"anonymous.list":   func(r *http.Request) bool { return unsigned(r) && r.URL.Query().Get("list-type") != "" },
		"privilege.signer": func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "-signer") },
		"privilege.worker": func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "-worker") },
	} {
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{front: func(bucket http.Handler) http.Handler {
				return drained(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodDelete || !fails(r) {
						bucket.ServeHTTP(w, r)
						return
					}
					s3Error(w, http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.", "")
				})
			}})
			b.run(id).first(t, id, "too much to do")
		})
	}
}

// unsigned says whether a stranger asks for something.
func unsigned(r *http.Request) bool {
	return r.Method == http.MethodGet && r.Header.Get("Authorization") == "" && !r.URL.Query().Has("X-Amz-Signature")
}

// What the presets do not use is not tried, and said so.
func TestUploads_OnlyWhatIsUsed(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	b.Config.Transfers = []postern.Transfer{postern.Put}
	for _, f := range b.run("upload.post", "upload.multipart", "attack.field").Findings {
		if f.Status != Skipped || !strings.HasPrefix(f.Got, "no preset") {
			t.Errorf("%+v", f)
		}
	}
	b.Config.Provider, _ = postern.ProviderByName("r2")
	b.Config.Transfers = []postern.Transfer{postern.Post}
	if f := b.run("upload.post").Findings[0]; f.Status != Skipped || !strings.Contains(f.Got, "no form uploads") {
		t.Errorf("%+v", f)
	}
}
