package sigv4_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"postern.example/postern/sigv4"
)

// membersOf reads what AppendPost wrote, by a reader that is not ours.
func membersOf(t testing.TB, members []byte) map[string]string {
	t.Helper()
	var got map[string]string
	if err := json.Unmarshal(slices.Concat([]byte("{"), members, []byte("}")), &got); err != nil {
		t.Fatalf("%v: %s", err, members)
	}
	return got
}

// samePost holds AppendPost against Post, names, values and order.
func samePost(t testing.TB, s *sigv4.Signer, c sigv4.Credentials, now time.Time, p *sigv4.Policy) {
	t.Helper()
	fields := s.Post(c, now, p)
	members := s.AppendPost([]byte("#"), c, now, p)
	if members[0] != '#' {
		t.Fatal("AppendPost lost what was there")
	}
	got := membersOf(t, members[1:])
	last := -1
	for _, f := range fields {
		value := f.Value
		if !utf8.ValidString(value) { // one U+FFFD for each byte
			value = string([]rune(value))
		}
		if got[f.Name] != value {
			t.Errorf("%s: %q, want %q", f.Name, got[f.Name], value)
		}
		at := strings.Index(string(members), `"`+f.Name+`":`)
		if at <= last {
			t.Errorf("%s is not in its place", f.Name)
		}
		last = at
	}
	if len(got) != len(fields) {
		t.Errorf("%d members for %d fields", len(got), len(fields))
	}
}

func TestAppendPostIsPost(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	for _, c := range []sigv4.Credentials{example, session, {AccessKeyID: `quote"d`, SecretAccessKey: "s", SessionToken: "a\"\\\n\u2028b"}} {
		samePost(t, s, c, exampleTime, photoPolicy(exampleTime))
		samePost(t, s, c, exampleTime, &sigv4.Policy{Expiration: exampleTime})
		for _, text := range append(slices.Clone(hostile), "\xff\xfe", "a\xc3") {
			samePost(t, s, c, exampleTime, &sigv4.Policy{Expiration: exampleTime, Conditions: []sigv4.Condition{
				sigv4.Eq(text, text), sigv4.StartsWith("x-amz-meta-a", text),
			}})
		}
	}
}

// What a hostile text became in the signed document, read back strictly, is
// the condition that was meant and no other.
func TestThreat05_AppendPostInjection(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	v := verifierFor(session, exampleTime)
	for _, text := range append(slices.Clone(hostile), "\xff\xfe", "a\xc3", "\xed\xa0\x80") {
		want := []sigv4.Condition{sigv4.Eq("bucket", "photos"), sigv4.Eq("x-amz-meta-a", text), sigv4.LengthRange(1, 2)}
		members := s.AppendPost(nil, session, exampleTime, &sigv4.Policy{Expiration: exampleTime, Conditions: want})
		id, doc, err := v.Post(membersOf(t, members))
		if err != nil || id != session.AccessKeyID {
			t.Fatalf("%q: %q, %v", text, id, err)
		}
		p, err := sigv4.ParsePolicy(doc)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		want[1].Value = strings.ToValidUTF8(text, "\ufffd")
		if !utf8.ValidString(text) {
			want[1].Value = string([]rune(text))
		}
		want = append(want, sigv4.Eq("x-amz-algorithm", "AWS4-HMAC-SHA256"), sigv4.Eq("x-amz-credential", session.AccessKeyID+"/20151229/us-east-1/s3/aws4_request"),
			sigv4.Eq("x-amz-date", exampleStamp), sigv4.Eq("x-amz-security-token", exampleToken))
		if !slices.Equal(p.Conditions, want) {
			t.Errorf("%q became %v", text, p.Conditions)
		}
	}
}

func parseURL(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newPlace(t testing.TB, raw string) *sigv4.Place {
	t.Helper()
	p, err := sigv4.NewPlace(parseURL(t, raw))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestVectors4To6_Appended(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	got, err := s.AppendPresign(nil, example, at, sigv4.PlaceRequest{
		Place: newPlace(t, "https://examplebucket.s3.amazonaws.com"), Key: "test.txt", Expires: 24 * time.Hour,
	})
	if want := "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"; err != nil || !strings.HasSuffix(string(got), "&X-Amz-Signature="+want) {
		t.Errorf("vector 4: %s, %v", got, err)
	}
	place := newPlace(t, "https://sigv4examplebucket.s3.amazonaws.com/")
	got, err = s.AppendPresign(nil, example, exampleTime, sigv4.PlaceRequest{
		Method: "PUT", Place: place, Key: "user/user1/photo é+&.jpg", Expires: 300 * time.Second,
		Header: []sigv4.Field{{Name: "content-length", Value: "1234"}, {Name: "content-type", Value: "image/jpeg"}},
	})
	if want := "9f0243a8f30282f4632865165ae406bf6775afa0d95044858961de9dd6a04c14"; err != nil || !strings.HasSuffix(string(got), "&X-Amz-Signature="+want) {
		t.Errorf("vector 5: %s, %v", got, err)
	}
	parts, err := s.Parts(example, exampleTime, sigv4.PartsRequest{Place: place, Key: "a b.jpg", UploadID: "UP/ID+=", Expires: 300 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	got, err = parts.AppendURL(nil, 3, 0)
	if want := "6256dc211823f8bd280e9f9c11d63db9a33c825d648aacb74bdc01abe690817d"; err != nil || !strings.HasSuffix(string(got), "&X-Amz-Signature="+want) {
		t.Errorf("vector 6: %s, %v", got, err)
	}
	if want := "https://sigv4examplebucket.s3.amazonaws.com/a%20b.jpg?"; !strings.HasPrefix(string(got), want) {
		t.Errorf("vector 6: %s", got)
	}
}

// samePresign holds AppendPresign against Presign.
func samePresign(t testing.TB, s *sigv4.Signer, c sigv4.Credentials, now time.Time, base, key, query string, header []sigv4.Field) string {
	t.Helper()
	u := parseURL(t, base)
	place, err := sigv4.NewPlace(u)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.AppendPresign([]byte("#"), c, now, sigv4.PlaceRequest{
		Method: "PUT", Place: place, Key: key, Query: query, Header: header, Expires: time.Minute,
	})
	h := http.Header{}
	for _, f := range header {
		h[f.Name] = append(h[f.Name], f.Value)
	}
	u.Path, u.RawQuery = strings.TrimSuffix(u.Path, "/")+"/"+key, query
	want, wantErr := s.Presign(c, now, sigv4.Request{Method: "PUT", URL: u, Header: h, Expires: time.Minute})
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%v, but %v", err, wantErr)
	}
	if string(got) != "#"+want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
	return want
}

func TestAppendPresignIsPresign(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	for _, base := range []string{"https://Bucket.example:443", "http://127.0.0.1:9000/b", "https://b.example/ä/b/"} {
		for _, c := range []sigv4.Credentials{example, session, liveSession} {
			for i, key := range hostileKeys {
				samePresign(t, s, c, exampleTime, base, key, sdkQueries[i%len(sdkQueries)], []sigv4.Field{
					{Name: "content-length", Value: strconv.Itoa(i + 1)},
					{Name: "content-md5", Value: "CY9rzUYh03PK3k6DJie09g=="},
					{Name: "content-type", Value: sdkTypes[i%len(sdkTypes)]},
					{Name: "if-none-match", Value: "*"},
					{Name: "x-amz-checksum-sha256", Value: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
					{Name: "x-amz-meta-a", Value: sdkMetadata[i%len(sdkMetadata)]},
				})
				samePresign(t, s, c, exampleTime, base, key, "X-Amz-Foo=1&a", nil)
			}
		}
	}
}

func TestAppendPresignRefuses(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	ok := sigv4.PlaceRequest{Place: newPlace(t, "https://b.example"), Key: "a", Expires: time.Minute}
	field := func(name, value string) func(*sigv4.PlaceRequest) {
		return func(r *sigv4.PlaceRequest) { r.Header = []sigv4.Field{{Name: name, Value: value}} }
	}
	for name, change := range map[string]func(*sigv4.PlaceRequest){
		"no place":         func(r *sigv4.PlaceRequest) { r.Place = nil },
		"zero place":       func(r *sigv4.PlaceRequest) { r.Place = new(sigv4.Place) },
		"no life":          func(r *sigv4.PlaceRequest) { r.Expires = 0 },
		"too long":         func(r *sigv4.PlaceRequest) { r.Expires = sigv4.MaxExpires + 1 },
		"query":            func(r *sigv4.PlaceRequest) { r.Query = "x=%zz" },
		"signed already":   func(r *sigv4.PlaceRequest) { r.Query = "x-amz-signature=y" },
		"signed, encoded":  func(r *sigv4.PlaceRequest) { r.Query = "X%2DAmz-Expires=y" },
		"host":             field("host", "x"),
		"authorization":    field("authorization", "x"),
		"no name":          field("", "x"),
		"name":             field("a b", "x"),
		"break":            field("x-amz-meta-a", "a\nhost:evil"),
		"break, far in":    field("x-amz-meta-a", "0123456789abcdef\n0123456789abcdef"),
		"delete":           field("x-amz-meta-a", "0123456789abcdef\x7f0123456789"),
		"not in lower":     field("Content-Type", "x"),
		"payload hash":     field("x-amz-content-sha256", "x"),
		"header twice":     func(r *sigv4.PlaceRequest) { r.Header = []sigv4.Field{{Name: "a"}, {Name: "a"}} },
		"headers unsorted": func(r *sigv4.PlaceRequest) { r.Header = []sigv4.Field{{Name: "b"}, {Name: "a"}} },
	} {
		r := ok
		change(&r)
		if got, err := s.AppendPresign([]byte("#"), example, exampleTime, r); err == nil || string(got) != "#" {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if _, err := s.AppendPresign(nil, sigv4.Credentials{}, exampleTime, ok); err == nil {
		t.Error("signed without credentials")
	}
	if _, err := s.AppendPresign(nil, example, exampleTime, ok); err != nil {
		t.Error(err)
	}
	for _, raw := range []string{"/a", "ftp://b.example", "https://b.example?x", "https://u@b.example", "https://bücher.example"} {
		if _, err := sigv4.NewPlace(parseURL(t, raw)); err == nil {
			t.Errorf("%s is a place", raw)
		}
	}
	if _, err := sigv4.NewPlace(nil); err == nil {
		t.Error("nothing is a place")
	}
}

// sameParts holds the URLs of parts against Presign.
func sameParts(t testing.TB, s *sigv4.Signer, c sigv4.Credentials, now time.Time, base, key, uploadID string, numbers []int, length int64) {
	t.Helper()
	parts, err := s.Parts(c, now, sigv4.PartsRequest{Place: newPlace(t, base), Key: key, UploadID: uploadID, Expires: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range numbers {
		for _, l := range []int64{0, length} {
			got, err := parts.AppendURL([]byte("#"), n, l)
			if err != nil {
				t.Fatal(err)
			}
			var header []sigv4.Field
			if l > 0 {
				header = []sigv4.Field{{Name: "content-length", Value: strconv.FormatInt(l, 10)}}
			}
			query := url.Values{"uploadId": {uploadID}, "partNumber": {strconv.Itoa(n)}}.Encode()
			if want := samePresign(t, s, c, now, base, key, query, header); string(got) != "#"+want {
				t.Fatalf("part %d of %d bytes\ngot  %s\nwant %s", n, l, got, want)
			}
		}
	}
}

func TestPartsArePresigned(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	for _, c := range []sigv4.Credentials{example, session, liveSession} {
		for i, key := range hostileKeys {
			sameParts(t, s, c, exampleTime, []string{"https://b.example", "http://127.0.0.1:9000/b"}[i%2], key, hostileKeys[(i+3)%len(hostileKeys)], []int{1, 9, 10, 10000}, 5<<20+int64(i))
		}
		for n := range 130 { // all positions of the last whole block
			sameParts(t, s, c, exampleTime, "https://b.example", strings.Repeat("k", n), "id", []int{7}, 1)
		}
	}
}

func TestPartsRefuse(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	ok := sigv4.PartsRequest{Place: newPlace(t, "https://b.example"), Key: "a", UploadID: "u", Expires: time.Minute}
	for name, change := range map[string]func(*sigv4.PartsRequest){
		"no place":     func(r *sigv4.PartsRequest) { r.Place = nil },
		"no life":      func(r *sigv4.PartsRequest) { r.Expires = 0 },
		"no upload id": func(r *sigv4.PartsRequest) { r.UploadID = "" },
	} {
		r := ok
		change(&r)
		if _, err := s.Parts(example, exampleTime, r); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
	if _, err := s.Parts(sigv4.Credentials{}, exampleTime, ok); err == nil {
		t.Error("signed without credentials")
	}
	parts, err := s.Parts(example, exampleTime, ok)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{-1, 0, sigv4.MaxParts + 1} {
		if got, err := parts.AppendURL([]byte("#"), n, 1); err == nil || string(got) != "#" {
			t.Errorf("part %d: %s, %v", n, got, err)
		}
	}
	if got, err := parts.AppendURL(nil, 1, -1); err == nil {
		t.Errorf("a negative length: %s", got)
	}
}

// Through midnight and a rotated secret, from many goroutines at once: each
// signature is that of a signer which has seen nothing else.
func TestAppendThroughMidnightAndRotation(t *testing.T) {
	midnight := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	rotated := example
	rotated.SecretAccessKey = "another/secret"
	place := newPlace(t, "https://b.example")
	type step struct {
		c  sigv4.Credentials
		at time.Time
	}
	sign := func(s *sigv4.Signer, x step) (string, error) {
		p := sigv4.Policy{Expiration: x.at.Add(time.Minute), Conditions: []sigv4.Condition{sigv4.Eq("bucket", "b")}}
		b := append(s.AppendPost(nil, x.c, x.at, &p), '\n')
		b, err := s.AppendPresign(b, x.c, x.at, sigv4.PlaceRequest{Place: place, Key: "k", Expires: time.Minute})
		if err != nil {
			return "", err
		}
		parts, err := s.Parts(x.c, x.at, sigv4.PartsRequest{Place: place, Key: "k", UploadID: "u", Expires: time.Minute})
		if err != nil {
			return "", err
		}
		b, err = parts.AppendURL(append(b, '\n'), 1, 5)
		return string(b), err
	}
	var steps []step
	want := map[string]bool{}
	var texts []string
	for _, c := range []sigv4.Credentials{example, rotated, session} {
		for _, at := range []time.Time{midnight.Add(-time.Nanosecond), midnight, midnight.Add(time.Second), midnight.In(time.FixedZone("behind", -3600))} {
			x := step{c, at}
			text, err := sign(sigv4.NewSigner("us-east-1"), x)
			if err != nil {
				t.Fatal(err)
			}
			if day := at.UTC().Format(sigv4.DateFormat); strings.Count(text, "%2F"+day+"%2F") != 2 || strings.Count(text, "/"+day+"/") != 1 {
				t.Errorf("%v: another day in %s", at, text)
			}
			steps, texts, want[text] = append(steps, x), append(texts, text), true
		}
	}
	if len(want) != 3*3 { // midnight in another zone is midnight
		t.Errorf("%d different results", len(want))
	}
	s := sigv4.NewSigner("us-east-1")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 120 {
				n := (g*5 + i) % len(steps)
				if got, err := sign(s, steps[n]); err != nil || got != texts[n] {
					t.Errorf("%v: %v, got\n%s\nwant\n%s", steps[n].at, err, got, texts[n])
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestAppendAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	s := sigv4.NewSigner("us-east-1")
	place := newPlace(t, "https://b.example")
	now, steps := exampleTime, time.Duration(0)
	room := make([]byte, 0, 4096)
	for _, c := range []sigv4.Credentials{example, session} {
		for name, sign := range map[string]func(){
			"AppendPost": func() {
				p := sigv4.Policy{Expiration: now.Add(time.Minute), Conditions: []sigv4.Condition{
					sigv4.Eq("bucket", "b"), sigv4.Eq("key", "k"), sigv4.StartsWith("x-amz-meta-a", `"`), sigv4.LengthRange(1, 1e6),
				}}
				room = s.AppendPost(room[:0], c, now, &p)
			},
			"AppendPost to the stack": func() {
				var stack [2048]byte
				p := sigv4.Policy{Conditions: []sigv4.Condition{sigv4.Eq("bucket", "b")}}
				if len(s.AppendPost(stack[:0], c, now, &p)) > len(stack) {
					t.Error("no room")
				}
			},
			"AppendPresign": func() {
				var err error
				room, err = s.AppendPresign(room[:0], c, now, sigv4.PlaceRequest{
					Method: "PUT", Place: place, Key: "a b", Query: "versionId=1", Expires: time.Minute,
					Header: []sigv4.Field{{Name: "content-length", Value: "5"}, {Name: "x-amz-meta-a", Value: "a  b"}},
				})
				if err != nil {
					t.Error(err)
				}
			},
		} {
			got := testing.AllocsPerRun(200, func() {
				steps += time.Second // nothing is kept from one second to the next
				now = exampleTime.Add(steps % (23 * time.Hour))
				sign()
			})
			if got != 0 {
				t.Errorf("%s: %v allocations", name, got)
			}
		}
		var sizes [2]float64
		for i, n := range []int{10, 1000} {
			sizes[i] = testing.AllocsPerRun(10, func() {
				parts, err := s.Parts(c, now, sigv4.PartsRequest{Place: place, Key: "k", UploadID: "u", Expires: time.Minute})
				if err != nil {
					t.Error(err)
					return
				}
				for number := range n {
					if room, err = parts.AppendURL(room[:0], number+1, int64(number%2)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		if sizes[0] != sizes[1] {
			t.Errorf("10 parts: %v allocations, 1000 parts: %v", sizes[0], sizes[1])
		}
		if got := testing.AllocsPerRun(100, func() { s.Post(c, now, &sigv4.Policy{}) }); got > 12 {
			t.Errorf("Post: %v allocations", got)
		}
		t.Logf("%v for parts", sizes)
	}
}

func decoded(t testing.TB, policy string) []byte {
	t.Helper()
	doc, err := base64.StdEncoding.DecodeString(policy)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
