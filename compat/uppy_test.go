package compat_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"postern.example/postern"
	"postern.example/postern/posterntest"
)

type uppyParams struct {
	Method  string
	URL     string
	Fields  map[string]string
	Headers map[string]string
	Expires int
}

// What Uppy 5 and 6 send beyond their own headers.
var (
	uppy5 = []string{"Accept", "application/json"}
	uppy6 = []string{"Accept", "*/*"}
)

func TestUppyOneFile(t *testing.T) {
	for name, headers := range map[string][]string{"5": uppy5, "6": uppy6} {
		t.Run(name, func(t *testing.T) {
			r := start(t, "uppy", posterntest.Config{})
			file := small()
			var p uppyParams
			r.ask(t, "GET", "/s3/params?filename=cat+1.jpg&type=image%2Fjpeg&metadata%5Bname%5D=cat+1.jpg&metadata%5Btype%5D=image%2Fjpeg&metadata%5BrelativePath%5D=null&metadata%5Balbum%5D=K%C3%A4tzchen", nil, &p, headers...)
			if p.Method != "POST" || !strings.HasSuffix(p.URL, "/") || p.Expires < 500 || p.Expires > 600 || p.Headers == nil || len(p.Headers) != 0 {
				t.Fatalf("params: %+v", p)
			}
			// What Uppy 6 refuses to send.
			for _, bad := range []string{"file", "success_action_redirect", "redirect"} {
				if _, ok := p.Fields[bad]; ok {
					t.Errorf("there is a field %s", bad)
				}
			}
			id := idIn(t, p.Fields["key"])
			a := r.post(t, p.URL, pairs(p.Fields), file)
			if a.status/100 != 2 {
				t.Fatalf("bucket: %d %s", a.status, a.body)
			}
			// Without them Uppy 5 waits for ever, or has no address.
			exposed := strings.ToLower(a.header.Get("Access-Control-Expose-Headers"))
			if a.header.Get("ETag") == "" || a.header.Get("Location") == "" || !strings.Contains(exposed, "etag") || !strings.Contains(exposed, "location") {
				t.Errorf("bucket's headers: %v", a.header)
			}
			up := r.ready(t, id)
			if up.Filename != "cat 1.jpg" || up.Size != int64(len(file)) || len(up.Metadata) != 1 || up.Metadata["album"] != "Kätzchen" {
				t.Errorf("upload: %+v", up)
			}
		})
	}
}

func TestUppyRefusals(t *testing.T) {
	r := start(t, "uppy", posterntest.Config{Presets: bounded(), NoWorker: true})
	for _, tc := range []struct {
		query  string
		status int
		code   *postern.Error
	}{
		{"type=image/jpeg", 400, postern.ErrInvalidFilename},
		{"filename=&type=image/jpeg", 400, postern.ErrInvalidFilename},
		{"filename=a.gif&type=image/gif", 415, postern.ErrTypeNotAllowed},
		{"filename=a.svg&type=image/svg%2Bxml", 415, postern.ErrTypeNotAllowed},
		{"filename=a.bmp&type=application/octet-stream", 415, postern.ErrTypeNotAllowed},
		{"filename=a.jpg&type=image/jpeg&metadata[size]=100001", 413, postern.ErrTooLarge},
		{"filename=a.jpg&type=image/jpeg&metadata[size]=99", 400, postern.ErrTooSmall},
		{"filename=a.jpg&type=image/jpeg&metadata[size]=much", 400, postern.ErrBadRequest},
		{"filename=a.jpg&type=image/jpeg&metadata[preset]=none", 400, postern.ErrPresetUnknown},
		{"filename=a.jpg&type=image/jpeg&metadata[preset]=avatars", 415, postern.ErrTypeNotAllowed},
		{"filename=a.jpg&type=image/jpeg&metadata[a][b]=c", 400, postern.ErrInvalidMetadata},
		{"filename=a.jpg&type=image/jpeg&metadata[a]=" + strings.Repeat("x", 600), 400, postern.ErrInvalidMetadata},
		{"filename=a.jpg&type=image/jpeg&metadata[a]=$%7Bfilename%7D", 400, postern.ErrInvalidMetadata},
		{"filename=%zz&type=image/jpeg", 400, postern.ErrBadRequest},
	} {
		r.refused(t, tc.status, tc.code.Code, "GET", "/s3/params?"+tc.query, nil)
	}
	if f := r.refused(t, 404, "not_found", "GET", "/s3/sts", nil); !strings.Contains(f.Message, "getTemporarySecurityCredentials") {
		t.Errorf("sts: %+v", f)
	}
	for _, tc := range []struct {
		body   string
		status int
		code   *postern.Error
	}{
		{`{"type":"image/jpeg"}`, 400, postern.ErrInvalidFilename},
		{`{"filename":7,"type":"image/jpeg"}`, 400, postern.ErrBadRequest},
		{`{"filename":"a.gif","type":"image/gif"}`, 415, postern.ErrTypeNotAllowed},
		{`{"filename":"a.jpg","type":"image/jpeg","metadata":{"size":100001}}`, 413, postern.ErrTooLarge},
		{`{"filename":"a.jpg","type":"image/jpeg","metadata":{"size":"99"}}`, 400, postern.ErrTooSmall},
		{`{"filename":"a.jpg","type":"image/jpeg","metadata":{"size":0}}`, 400, postern.ErrEmpty},
		{`{"filename":"a.jpg","type":"image/jpeg","metadata":{"size":1e3}}`, 400, postern.ErrBadRequest},
		{`{"filename":"a.jpg","type":"image/jpeg","metadata":{"tags":["a"]}}`, 400, postern.ErrInvalidMetadata},
		{`{"filename":"a.jpg","type":"image/jpeg","metadata":{"preset":"none","size":500}}`, 400, postern.ErrPresetUnknown},
		{`{"filename":"a.jpg"`, 400, postern.ErrBadRequest},
		{`{"filename":"a.jpg","type":"image/jpeg"} {}`, 400, postern.ErrBadRequest},
		{`{"filename":"` + strings.Repeat("a", 2<<20) + `"}`, 400, postern.ErrBadRequest},
	} {
		r.refused(t, tc.status, tc.code.Code, "POST", "/s3/multipart", raw(tc.body))
	}
	if n := r.Service.Stats().Granted; n != 0 {
		t.Errorf("%d grants", n)
	}
	r.refused(t, 405, "method_not_allowed", "PUT", "/s3/params", nil)
	r.refused(t, 404, "not_found", "GET", "/s3/other", nil)
}

// Where forms do not exist Uppy 5 is answered with a PUT, Uppy 6 with the reason.
func TestUppyWithoutForms(t *testing.T) {
	r := start(t, "uppy", posterntest.Config{Provider: formless()})
	const ask = "/s3/params?filename=cat.jpg&type=image/jpeg"
	file := small()
	if f := r.refused(t, 400, "transfer_unavailable", "GET", ask, nil, uppy6...); !strings.Contains(f.Message, "shouldUseMultipart: true") {
		t.Errorf("Uppy 6: %+v", f)
	}
	if f := r.refused(t, 400, "size_required", "GET", ask, nil, uppy5...); !strings.Contains(f.Message, "shouldUseMultipart: true") {
		t.Errorf("Uppy 5 without a size: %+v", f)
	}
	var p uppyParams
	r.ask(t, "GET", fmt.Sprintf("%s&metadata[size]=%d", ask, len(file)), nil, &p, uppy5...)
	if p.Method != "PUT" || len(p.Fields) != 0 || p.Fields == nil || len(p.Headers) == 0 {
		t.Fatalf("params: %+v", p)
	}
	headers := []string{"Origin", posterntest.Origin}
	for k, v := range p.Headers {
		headers = append(headers, k, v)
	}
	if a := r.send(t, "PUT", p.URL, append(slices.Clone(file), 0), headers...); a.status != http.StatusForbidden {
		t.Errorf("one byte more: %d %s", a.status, a.body)
	}
	if a := r.send(t, "PUT", p.URL, file, headers...); a.status != http.StatusOK || a.header.Get("ETag") == "" {
		t.Fatalf("bucket: %d %s", a.status, a.body)
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		t.Fatal(err)
	}
	up := r.ready(t, u.Path[strings.LastIndex(u.Path, "/")+1:])
	if len(up.Metadata) != 0 {
		t.Errorf("metadata %v", up.Metadata)
	}
}

type uppyUpload struct{ Key, UploadID string }

func (u *uppyUpload) at(action string) string {
	return "/s3/multipart/" + u.UploadID + action + "?key=" + url.QueryEscape(u.Key)
}

func (r *rig) begin(t *testing.T, name string) *uppyUpload {
	t.Helper()
	u := &uppyUpload{}
	r.ask(t, "POST", "/s3/multipart", map[string]any{
		"filename": name, "type": "image/png",
		"metadata": map[string]any{"name": name, "type": "image/png", "relativePath": nil, "album": 42, "shared": true},
	}, u)
	if u.UploadID == "" || url.PathEscape(u.UploadID) != u.UploadID {
		t.Fatalf("begun: %+v", u)
	}
	idIn(t, u.Key)
	return u
}

// part sends one part as Uppy does and returns its ETag.
func (r *rig) part(t *testing.T, u *uppyUpload, n int, content []byte) string {
	t.Helper()
	var signed struct {
		URL     string
		Expires int
	}
	r.ask(t, "GET", u.at(fmt.Sprintf("/%d", n)), nil, &signed)
	if signed.Expires < 500 || signed.Expires > 600 {
		t.Errorf("part %d expires in %d s", n, signed.Expires)
	}
	a := r.send(t, "PUT", signed.URL, content, "Origin", posterntest.Origin)
	if a.status != http.StatusOK || a.header.Get("ETag") == "" || !strings.Contains(strings.ToLower(a.header.Get("Access-Control-Expose-Headers")), "etag") {
		t.Fatalf("part %d: %d %s %v", n, a.status, a.body, a.header)
	}
	return a.header.Get("ETag")
}

type uppyPart struct {
	PartNumber int
	Size       int64
	ETag       string
}

func inParts() []postern.Preset {
	return []postern.Preset{{Name: "photos", MaxBytes: 30 << 20}}
}

func TestUppyInParts(t *testing.T) {
	lines := &lockedWriter{w: &bytes.Buffer{}}
	r := start(t, "uppy", posterntest.Config{Presets: inParts(), Logger: slog.New(slog.NewTextHandler(lines, nil))})
	file := large(t)
	const size = postern.MinPartSize
	u := r.begin(t, "noise.png")

	var parts []uppyPart
	r.ask(t, "GET", u.at(""), nil, &parts)
	if parts == nil || len(parts) != 0 {
		t.Errorf("before the first part: %+v", parts)
	}
	etags := []string{r.part(t, u, 1, file[:size])}
	// A page that was closed asks what is there, and goes on.
	r.ask(t, "GET", u.at(""), nil, &parts)
	if len(parts) != 1 || parts[0] != (uppyPart{1, size, etags[0]}) {
		t.Errorf("after the first part: %+v", parts)
	}
	etags = append(etags, r.part(t, u, 2, file[size:2*size]))
	var batch struct{ PresignedURLs map[string]string }
	r.ask(t, "GET", u.at("/batch")+"&partNumbers=2,3", nil, &batch)
	if len(batch.PresignedURLs) != 2 {
		t.Fatalf("batch: %+v", batch)
	}
	a := r.send(t, "PUT", batch.PresignedURLs["3"], file[2*size:], "Origin", posterntest.Origin)
	if a.status != http.StatusOK {
		t.Fatalf("part 3: %d %s", a.status, a.body)
	}
	etags = append(etags, a.header.Get("ETag"))

	var said struct {
		Parts []map[string]any `json:"parts"`
	}
	for i, e := range etags {
		said.Parts = append(said.Parts, map[string]any{"PartNumber": i + 1, "ETag": e})
	}
	for range 2 { // a client that lost the answer asks again
		var done struct{ Location, Key string }
		r.ask(t, "POST", u.at("/complete"), said, &done)
		if done.Key != u.Key || done.Location != r.base+"/uploads/"+idIn(t, u.Key) {
			t.Errorf("completed: %+v", done)
		}
	}
	up := r.ready(t, idIn(t, u.Key))
	if up.Size != int64(len(file)) || up.Type != "image/png" || up.Filename != "noise.png" || len(up.Metadata) != 2 || up.Metadata["album"] != "42" || up.Metadata["shared"] != "true" {
		t.Errorf("upload: %+v", up)
	}
	if r.Service.Stats().Aborted != 0 {
		t.Error("something was aborted")
	}
	// The ticket is in the path; it is not in the log (threat 23).
	if strings.Contains(lines.String(), u.UploadID) {
		t.Error("the log has a ticket")
	}
}

func TestUppyAbort(t *testing.T) {
	r := start(t, "uppy", posterntest.Config{Presets: inParts()})
	u := r.begin(t, "a.png")
	r.part(t, u, 1, bytes.Repeat([]byte("x"), 1000))
	for range 2 {
		var out map[string]any
		r.ask(t, "DELETE", u.at(""), nil, &out)
		if out == nil || len(out) != 0 {
			t.Errorf("aborted: %v", out)
		}
	}
	if left, err := r.S3.Multiparts(t.Context(), postern.IncomingPrefix, postern.MultipartUpload{}, 10); err != nil || len(left) != 0 {
		t.Errorf("left behind: %+v, %v", left, err)
	}
	r.refused(t, 404, "not_found", "GET", u.at("/2"), nil)
	r.refused(t, 409, "not_arrived", "POST", u.at("/complete"), map[string]any{"parts": []any{}})
}

func TestUppyPartNumbers(t *testing.T) {
	r := start(t, "uppy", posterntest.Config{Presets: inParts(), NoWorker: true})
	u := r.begin(t, "a.png")
	for _, n := range []string{"0", "-1", "x", "10001", "99999999999999999999"} {
		r.refused(t, 400, "bad_request", "GET", u.at("/"+n), nil)
	}
	for _, list := range []string{"", "1,", "1,x", "0", strings.Repeat("1,", 1000) + "1"} {
		r.refused(t, 400, "bad_request", "GET", u.at("/batch")+"&partNumbers="+list, nil)
	}
	r.refused(t, 400, "bad_request", "GET", "/s3/multipart/"+u.UploadID+"/1", nil)
	r.refused(t, 400, "bad_request", "POST", u.at("/complete"), map[string]any{"parts": "all"})
}

// A client-named key or uploadId is worth nothing to anybody but who it was
// granted to, and nothing together with another's (threat 15).
func TestThreat15_ForeignUploadInParts(t *testing.T) {
	r := start(t, "uppy", posterntest.Config{Presets: inParts()})
	mine := r.begin(t, "mine.png")
	other := r.begin(t, "other.png")
	file := bytes.Repeat([]byte("x"), 1000)
	etag := r.part(t, mine, 1, file)
	altered := *mine
	altered.UploadID = "A" + altered.UploadID[1:]
	if altered.UploadID == mine.UploadID {
		altered.UploadID = "B" + altered.UploadID[1:]
	}
	for what, tc := range map[string]struct {
		u   *uppyUpload
		who string
	}{
		"another principal":          {mine, "mallory"},
		"an altered ticket":          {&altered, ""},
		"another upload's key":       {&uppyUpload{other.Key, mine.UploadID}, ""},
		"a key elsewhere":            {&uppyUpload{"images/" + idIn(t, mine.Key) + "/thumb", mine.UploadID}, ""},
		"a key beside":               {&uppyUpload{mine.Key + "/../x", mine.UploadID}, ""},
		"the id alone":               {&uppyUpload{idIn(t, mine.Key), mine.UploadID}, ""},
		"a made-up upload id":        {&uppyUpload{mine.Key, "2~abcdef"}, ""},
		"the object's own upload id": {&uppyUpload{mine.Key, rawUploadID(t, r, mine.Key)}, ""},
	} {
		for _, call := range []struct{ method, action string }{
			{"GET", ""}, {"GET", "/1"}, {"GET", "/batch"}, {"POST", "/complete"}, {"DELETE", ""},
		} {
			address := tc.u.at(call.action)
			var in any
			switch call.action {
			case "/batch":
				address += "&partNumbers=1"
			case "/complete":
				in = map[string]any{"parts": []any{map[string]any{"PartNumber": 1, "ETag": etag}}}
			}
			f := r.refused(t, 404, "not_found", call.method, address, in, "Test-Principal", tc.who)
			if strings.Contains(f.Message, mine.UploadID) {
				t.Errorf("%s: %+v", what, f)
			}
		}
	}
	var parts []uppyPart
	r.ask(t, "GET", mine.at(""), nil, &parts)
	if len(parts) != 1 || parts[0].ETag != etag {
		t.Errorf("something changed: %+v", parts)
	}
	if up, err := r.Get(t.Context(), idIn(t, mine.Key)); err != nil || up.State != postern.Granted {
		t.Errorf("something changed: %+v, %v", up, err)
	}
}

// rawUploadID is the bucket's own name for an upload, which no client learns by
// the protocol but reads in every part's URL.
func rawUploadID(t *testing.T, r *rig, key string) string {
	t.Helper()
	list, err := r.S3.Multiparts(t.Context(), key, postern.MultipartUpload{}, 1)
	if err != nil || len(list) != 1 {
		t.Fatalf("unfinished uploads: %+v, %v", list, err)
	}
	return list[0].UploadID
}

// What the client says it sent does not matter; what the bucket has does (threat 34).
func TestThreat34_FakeListOfParts(t *testing.T) {
	r := start(t, "uppy", posterntest.Config{Presets: inParts()})
	u := r.begin(t, "a.png")
	fake := map[string]any{"parts": []any{map[string]any{"PartNumber": 1, "ETag": `"0123456789abcdef0123456789abcdef"`}}}
	r.refused(t, 409, "not_arrived", "POST", u.at("/complete"), fake)
	file := small()
	r.part(t, u, 1, file)
	var done struct{ Key string }
	r.ask(t, "POST", u.at("/complete"), fake, &done)
	if up := r.ready(t, idIn(t, done.Key)); up.Size != int64(len(file)) {
		t.Errorf("upload: %+v", up)
	}
}

// Parts that add up to more than the preset has room for end the upload (threat 14).
func TestThreat14_PartsBeyondTheLimit(t *testing.T) {
	r := start(t, "uppy", posterntest.Config{Presets: []postern.Preset{{Name: "photos", MaxBytes: 6 << 20}}})
	u := r.begin(t, "a.png")
	r.part(t, u, 1, make([]byte, postern.MinPartSize))
	r.part(t, u, 2, make([]byte, postern.MinPartSize))
	r.refused(t, 413, "too_large", "POST", u.at("/complete"), map[string]any{"parts": []any{}})
	if left, err := r.S3.Multiparts(t.Context(), postern.IncomingPrefix, postern.MultipartUpload{}, 10); err != nil || len(left) != 0 {
		t.Errorf("left behind: %+v, %v", left, err)
	}
	if len(r.Incoming(t)) != 0 {
		t.Error("the object is there")
	}
}

// Pages of named origins may send what Uppy sends; others get nothing (threat 18).
func TestThreat18_UppyPreflight(t *testing.T) {
	r := start(t, "uppy", posterntest.Config{NoWorker: true, Handler: postern.HandlerConfig{Origins: []string{posterntest.Origin}}})
	preflight := func(origin string) *answer {
		return r.send(t, "OPTIONS", r.base+"/s3/multipart", nil, "Origin", origin,
			"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type,uppy-auth-token")
	}
	a := preflight(posterntest.Origin)
	allowed := strings.Split(a.header.Get("Access-Control-Allow-Headers"), ", ")
	if a.status != http.StatusNoContent || a.header.Get("Access-Control-Allow-Origin") != posterntest.Origin {
		t.Errorf("named origin: %d %v", a.status, a.header)
	}
	for _, h := range []string{"uppy-auth-token", "uppy-credentials-params", "authorization", "origin", "content-type", "accept"} {
		if !slices.Contains(allowed, h) {
			t.Errorf("%s is not allowed", h)
		}
	}
	for _, m := range []string{"GET", "POST", "DELETE"} {
		if !strings.Contains(a.header.Get("Access-Control-Allow-Methods"), m) {
			t.Errorf("%s is not allowed", m)
		}
	}
	for _, o := range []string{"https://evil.example", "null", posterntest.Origin + ".evil.example", posterntest.Origin + ":8443"} {
		if a := preflight(o); a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("origin %s is allowed", o)
		}
	}
}
