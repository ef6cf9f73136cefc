package compat_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	"postern.example/postern"
	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
)

type directUpload struct {
	ID          string
	Key         string
	Filename    string
	ContentType string `json:"content_type"`
	ByteSize    int64  `json:"byte_size"`
	Checksum    string
	SignedID    string `json:"signed_id"`
	Direct      struct {
		URL     string
		Headers map[string]string
	} `json:"direct_upload"`
}

// What @rails/activestorage sends with its request.
var rails = []string{"Accept", "application/json", "X-Requested-With", "XMLHttpRequest", "X-CSRF-Token", "whatever"}

func (r *rig) direct(t *testing.T, blob map[string]any) (up directUpload) {
	t.Helper()
	r.ask(t, "POST", "/rails/active_storage/direct_uploads", map[string]any{"blob": blob}, &up, rails...)
	return up
}

func (r *rig) put(t *testing.T, up *directUpload, file []byte) *answer {
	t.Helper()
	headers := []string{"Origin", posterntest.Origin}
	for k, v := range up.Direct.Headers {
		headers = append(headers, k, v)
	}
	return r.send(t, "PUT", up.Direct.URL, file, headers...)
}

func md5Of(file []byte) string {
	sum := md5.Sum(file)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func TestActiveStorage(t *testing.T) {
	r := start(t, "activestorage", posterntest.Config{})
	file := small()
	sum := sha256.Sum256(file)
	for name, tc := range map[string]struct{ checksum, declared, header string }{
		"8.1":                  {md5Of(file), "image/jpeg", "Content-MD5"},
		"8.2":                  {"sha256:" + base64.StdEncoding.EncodeToString(sum[:]), "image/jpeg", "x-amz-checksum-sha256"},
		"type unknown to it":   {md5Of(file), "application/octet-stream", "Content-MD5"},
		"no checksum, no type": {"", "", "Content-Type"},
	} {
		t.Run(name, func(t *testing.T) {
			up := r.direct(t, map[string]any{"filename": "cat.jpg", "content_type": tc.declared, "byte_size": len(file), "checksum": tc.checksum})
			if up.SignedID == "" || up.ID != up.SignedID || up.Key != up.SignedID || up.Filename != "cat.jpg" || up.ContentType != "image/jpeg" ||
				up.ByteSize != int64(len(file)) || up.Checksum != tc.checksum || up.Direct.Headers[tc.header] == "" {
				t.Fatalf("answer: %+v", up)
			}
			other := slices.Clone(file)
			other[len(other)/2] ^= 1
			if tc.checksum != "" {
				if a := r.put(t, &up, other); a.status != http.StatusBadRequest {
					t.Errorf("other bytes than hashed: %d %s", a.status, a.body)
				}
			}
			if a := r.put(t, &up, append(other, 0)); a.status != http.StatusForbidden {
				t.Errorf("one byte more: %d %s", a.status, a.body)
			}
			if a := r.put(t, &up, file); a.status != http.StatusOK {
				t.Fatalf("bucket: %d %s", a.status, a.body)
			}
			got := r.ready(t, up.SignedID)
			if got.Filename != "cat.jpg" || got.Size != int64(len(file)) {
				t.Errorf("upload: %+v", got)
			}
		})
	}
}

func TestActiveStorageRefusals(t *testing.T) {
	const path = "/rails/active_storage/direct_uploads"
	r := start(t, "activestorage", posterntest.Config{Presets: bounded(), NoWorker: true})
	for _, tc := range []struct {
		path, body string
		status     int
		code       *postern.Error
	}{
		{path, `{}`, 400, postern.ErrBadRequest},
		{path, `[]`, 400, postern.ErrBadRequest},
		{path, `{"blob":{"content_type":"image/jpeg","byte_size":200}}`, 400, postern.ErrInvalidFilename},
		{path, `{"blob":{"filename":"a.jpg","content_type":"image/jpeg"}}`, 400, postern.ErrSizeRequired},
		{path, `{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":"200"}}`, 400, postern.ErrBadRequest},
		{path, `{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":-1}}`, 400, postern.ErrBadRequest},
		{path, `{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":0}}`, 400, postern.ErrEmpty},
		{path, `{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":100001}}`, 413, postern.ErrTooLarge},
		{path, `{"blob":{"filename":"a.pdf","content_type":"application/pdf","byte_size":200}}`, 415, postern.ErrTypeNotAllowed},
		{path, `{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":200,"checksum":"abc"}}`, 400, postern.ErrBadRequest},
		{path, `{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":200,"checksum":"sha256:abc"}}`, 400, postern.ErrInvalidHash},
		{path, `{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":200,"metadata":{"a":{"b":1}}}}`, 400, postern.ErrInvalidMetadata},
		{path + "?preset=none", `{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":200}}`, 400, postern.ErrPresetUnknown},
		{path + "?preset=avatars", `{"blob":{"filename":"a.png","content_type":"image/png","byte_size":1001}}`, 413, postern.ErrTooLarge},
	} {
		r.refused(t, tc.status, tc.code.Code, "POST", tc.path, raw(tc.body), rails...)
	}
	if n := r.Service.Stats().Granted; n != 0 {
		t.Errorf("%d grants", n)
	}
	var up directUpload
	r.ask(t, "POST", path+"?preset=avatars", map[string]any{"blob": map[string]any{"filename": "a.png", "content_type": "image/png", "byte_size": 900}}, &up)
	if up.ContentType != "image/png" {
		t.Errorf("another preset: %+v", up)
	}
}

// A preset whose files travel as forms has no PUT for Active Storage.
func TestActiveStorageNeedsPut(t *testing.T) {
	r := start(t, "activestorage", posterntest.Config{Presets: []postern.Preset{{Name: "photos", Transfer: postern.Post}}, NoWorker: true})
	r.refused(t, 400, "transfer_unavailable", "POST", "/rails/active_storage/direct_uploads",
		raw(`{"blob":{"filename":"a.jpg","content_type":"image/jpeg","byte_size":200}}`))
}

// A grant that is used again changes nothing that is shown (threat 3).
func TestThreat03_ReplayOfADirectUpload(t *testing.T) {
	r := start(t, "activestorage", posterntest.Config{})
	file := small()
	up := r.direct(t, map[string]any{"filename": "cat.jpg", "content_type": "image/jpeg", "byte_size": len(file)})
	if a := r.put(t, &up, file); a.status != http.StatusOK {
		t.Fatalf("bucket: %d %s", a.status, a.body)
	}
	if a := r.put(t, &up, make([]byte, len(file))); a.status != http.StatusPreconditionFailed && a.status != http.StatusOK {
		t.Fatalf("again: %d %s", a.status, a.body)
	}
	first := r.Wait(t, up.SignedID)
	r.put(t, &up, make([]byte, len(file)))
	if again, err := r.Get(t.Context(), up.SignedID); err != nil || again.State != postern.Ready || again.SHA256 != first.SHA256 {
		t.Errorf("after a replay: %+v, %v", again, err)
	}
}

type presigned struct {
	Fields  map[string]string
	Headers map[string]string
	Method  string
	URL     string
}

func TestShrine(t *testing.T) {
	r := start(t, "shrine", posterntest.Config{})
	file := photo.PNG(photo.Options{Width: 120, Height: 80})
	for _, ask := range []string{"/presign?filename=a.png&type=image/png", "/presign?filename=a.png"} {
		a := r.send(t, "GET", r.base+ask, nil)
		if a.status != http.StatusOK || a.header.Get("Cache-Control") != "no-store" || a.header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Fatalf("presign: %d %v %s", a.status, a.header, a.body)
		}
		var p presigned
		a.json(t, &p)
		if p.Method != "post" || p.Headers == nil || len(p.Headers) != 0 {
			t.Fatalf("presign: %+v", p)
		}
		if a := r.post(t, p.URL, pairs(p.Fields), file); a.status/100 != 2 {
			t.Fatalf("bucket: %d %s", a.status, a.body)
		}
		if up := r.ready(t, idIn(t, p.Fields["key"])); up.Type != "image/png" || up.Filename != "a.png" {
			t.Errorf("upload: %+v", up)
		}
	}
	if a := r.send(t, "OPTIONS", r.base+"/presign", nil); a.status != http.StatusOK || len(a.body) != 0 {
		t.Errorf("OPTIONS: %d %s", a.status, a.body)
	}
}

func TestShrineByPut(t *testing.T) {
	r := start(t, "shrine", posterntest.Config{Provider: formless()})
	file := small()
	r.refused(t, 400, "size_required", "GET", "/presign?filename=a.jpg&type=image/jpeg", nil)
	var p presigned
	r.ask(t, "GET", "/presign?"+queryOf("filename", "a.jpg", "type", "image/jpeg", "size", itoa(len(file)), "checksum", md5Of(file)), nil, &p)
	if p.Method != "put" || p.Fields == nil || len(p.Fields) != 0 || p.Headers["Content-MD5"] == "" {
		t.Fatalf("presign: %+v", p)
	}
	up := directUpload{}
	up.Direct.URL, up.Direct.Headers = p.URL, p.Headers
	if a := r.put(t, &up, append(slices.Clone(file[1:]), 0)); a.status != http.StatusBadRequest {
		t.Errorf("other bytes than hashed: %d %s", a.status, a.body)
	}
	if a := r.put(t, &up, file); a.status != http.StatusOK {
		t.Fatalf("bucket: %d %s", a.status, a.body)
	}
	key := p.URL[strings.Index(p.URL, postern.IncomingPrefix):strings.Index(p.URL, "?")]
	r.ready(t, idIn(t, key))
}

func TestTutorial(t *testing.T) {
	r := start(t, "tutorial", posterntest.Config{})
	file := small()
	var out struct {
		EndpointURL string `json:"endpoint_url"`
		Params      map[string]string
	}
	// The tutorial's page does not escape the name.
	r.ask(t, "GET", "/s3_credentials?filename=IMG_0001.JPG", nil, &out)
	if out.EndpointURL != r.BucketURL || out.Params["policy"] == "" || out.Params["x-amz-signature"] == "" || out.Params["acl"] != "" {
		t.Fatalf("credentials: %+v", out)
	}
	if a := r.post(t, out.EndpointURL, pairs(out.Params), file); a.status/100 != 2 {
		t.Fatalf("bucket: %d %s", a.status, a.body)
	}
	if up := r.ready(t, idIn(t, out.Params["key"])); up.Filename != "IMG_0001.JPG" || up.Type != "image/jpeg" {
		t.Errorf("upload: %+v", up)
	}
	// The tutorial made the key of the client's name; ours cannot be changed.
	r.ask(t, "GET", "/s3_credentials?filename=b.jpg", nil, &out)
	fields := out.Params
	fields["key"] = "images/b.jpg"
	if a := r.post(t, out.EndpointURL, pairs(fields), file); a.status != http.StatusForbidden {
		t.Errorf("another key: %d %s", a.status, a.body)
	}
	r.ask(t, "GET", "/s3_credentials?filename=photo&content_type=image/jpeg", nil, &out)
}

// The refusals of the two protocols that ask by query.
func TestQueryRefusals(t *testing.T) {
	for name, path := range map[string]string{"shrine": "/presign", "tutorial": "/s3_credentials"} {
		r := start(t, name, posterntest.Config{Presets: bounded(), NoWorker: true})
		for _, tc := range []struct {
			query  string
			status int
			code   *postern.Error
		}{
			{"", 400, postern.ErrInvalidFilename},
			{"filename=", 400, postern.ErrInvalidFilename},
			{"filename=%ff.jpg", 400, postern.ErrInvalidFilename},
			{"filename=a%0ab.jpg", 400, postern.ErrInvalidFilename},
			{"filename=a.svg", 415, postern.ErrTypeNotAllowed},
			{"filename=noname", 415, postern.ErrTypeNotAllowed},
			{"filename=a.jpg&size=100001", 413, postern.ErrTooLarge},
			{"filename=a.jpg&size=1", 400, postern.ErrTooSmall},
			{"filename=a.jpg&size=-1", 400, postern.ErrBadRequest},
			{"filename=a.jpg&preset=none", 400, postern.ErrPresetUnknown},
			{"filename=a.jpg&preset=avatars", 415, postern.ErrTypeNotAllowed},
			{"filename=a.jpg;b", 400, postern.ErrBadRequest},
		} {
			r.refused(t, tc.status, tc.code.Code, "GET", path+"?"+tc.query, nil)
		}
		r.refused(t, 405, "method_not_allowed", "POST", path, nil)
		if n := r.Service.Stats().Granted; n != 0 {
			t.Errorf("%s: %d grants", name, n)
		}
	}
	r := start(t, "tutorial", posterntest.Config{Provider: formless(), NoWorker: true})
	r.refused(t, 400, "transfer_unavailable", "GET", "/s3_credentials?filename=a.jpg", nil)
}
