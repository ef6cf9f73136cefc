package s3d

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"postern.example/postern/sigv4"
)

// bucketPage is what ListBuckets answers.
type bucketPage struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	Buckets []struct {
		Name         string
		CreationDate time.Time
		BucketRegion string
	} `xml:"Buckets>Bucket"`
	Owner             string `xml:"Owner>ID"`
	ContinuationToken string
	Prefix            string
}

func (p bucketPage) names() (names string) {
	for _, b := range p.Buckets {
		names += b.Name + " "
	}
	return strings.TrimSpace(names)
}

func (f *fixture) buckets(query string) bucketPage {
	f.t.Helper()
	r := f.do("GET", "/"+query, nil, nil)
	f.expect(r, 200, "")
	var p bucketPage
	must(f.t, xml.Unmarshal(r.body, &p))
	return p
}

// [D] ListBuckets: sorted, in pages, with date, region and owner.
func TestListBuckets(t *testing.T) {
	f := start(t)
	for _, name := range []string{"b-two", "a-one", "b-one", "c-one"} {
		f.expect(f.do("PUT", "/"+name, nil, nil), 200, "")
	}
	// What is no bucket is not listed.
	must(t, os.MkdirAll(filepath.Join(f.dir, "half-made", draftsDir), 0o700))
	must(t, os.MkdirAll(filepath.Join(f.dir, "NotABucket", objectsDir), 0o700))
	must(t, os.WriteFile(filepath.Join(f.dir, "a-file"), nil, 0o600))
	all := f.buckets("")
	if all.names() != "a-one b-one b-two c-one photos" || all.Owner != ownerID || len(all.Owner) != 64 || all.ContinuationToken != "" || all.Prefix != "" {
		t.Errorf("%+v", all)
	}
	for _, b := range all.Buckets {
		if age := f.now().Sub(b.CreationDate); b.BucketRegion != testRegion || age < 0 || age > time.Minute {
			t.Errorf("%+v", b)
		}
	}
	if p := f.buckets("?prefix=b-"); p.names() != "b-one b-two" || p.Prefix != "b-" {
		t.Errorf("%+v", p)
	}
	if p := f.buckets("?prefix=x&bucket-region=us-east-1"); p.names() != "" {
		t.Errorf("%+v", p)
	}
	var names []string
	query := "?max-buckets=2"
	for range 3 {
		p := f.buckets(query)
		names = append(names, p.names())
		query = "?max-buckets=2&continuation-token=" + p.ContinuationToken
		if (p.ContinuationToken == "") != (len(names) == 3) {
			t.Errorf("page %d: %+v", len(names), p)
		}
	}
	if got := strings.Join(names, ","); got != "a-one b-one,b-two c-one,photos" {
		t.Errorf("%s", got)
	}
	for _, query := range []string{
		"max-buckets=0", "max-buckets=10001", "max-buckets=x", "continuation-token=x", "continuation-token=Li4", "bucket-region=eu-west-1", "max-buckets=1&max-buckets=2",
	} {
		if r := f.do("GET", "/?"+query, nil, nil); r.status != 400 || r.code() != "InvalidArgument" {
			t.Errorf("%s: %d %s", query, r.status, r.body)
		}
	}
	f.expect(f.do("GET", "/?unknown", nil, nil), 501, "NotImplemented")
	f.expect(f.do("PUT", "/", nil, nil), 501, "NotImplemented")
	out, err := f.sdk().ListBuckets(context.Background(), &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)})
	if err != nil || len(out.Buckets) != 1 || aws.ToString(out.Buckets[0].Name) != "a-one" || out.Buckets[0].CreationDate == nil || aws.ToString(out.Owner.ID) != ownerID {
		t.Errorf("%v %+v", err, out)
	}
}

// The date of creation is that of CreateBucket for good: settings, writes,
// making it again and restarts do not change it.
func TestCreationDateStays(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bucket")
	var made time.Time
	t.Run("before", func(t *testing.T) {
		f := startIn(t, dir)
		made = f.buckets("").Buckets[0].CreationDate
		f.advance(48 * time.Hour)
		f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
		f.put("a", "x")
		f.expect(f.do("PUT", "/photos", nil, nil), 200, "")
		if got := f.buckets("").Buckets[0].CreationDate; !got.Equal(made) {
			t.Errorf("%v, not %v", got, made)
		}
	})
	f := startIn(t, dir)
	if got := f.buckets("").Buckets[0].CreationDate; !got.Equal(made) || made.IsZero() {
		t.Errorf("%v, not %v", got, made)
	}
}

// A bucket from before the date was noted has the time of its folder, from then on.
func TestCreationDateOfAnOldBucket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "bucket")
	old := filepath.Join(dir, "old-bucket")
	must(t, os.MkdirAll(filepath.Join(old, objectsDir), 0o700))
	must(t, os.Mkdir(filepath.Join(old, draftsDir), 0o700))
	at := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	must(t, os.Chtimes(old, at, at))
	f := startIn(t, dir)
	f.expect(f.do("DELETE", "/old-bucket?publicAccessBlock", nil, nil), 204, "")
	if p := f.buckets("?prefix=old"); !p.Buckets[0].CreationDate.Equal(at) {
		t.Errorf("%+v", p)
	}
	// A damaged note is an error, not another date.
	must(t, os.WriteFile(filepath.Join(old, createdFile), []byte("yesterday"), 0o600))
	f.expect(f.do("GET", "/", nil, nil), 500, "InternalError")
}

// [D] GetBucketLocation: "Buckets in Region us-east-1 have a LocationConstraint
// of null."
func TestBucketLocation(t *testing.T) {
	f := start(t)
	if r := f.do("GET", "/photos?location", nil, nil); r.status != 200 || !strings.HasSuffix(string(r.body), `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>`) {
		t.Errorf("%s", r.body)
	}
	f.expect(f.do("GET", "/nobucket?location", nil, nil), 404, "NoSuchBucket")
	if r := f.do("HEAD", "/photos", nil, nil); r.status != 200 || r.header.Get("x-amz-bucket-region") != testRegion {
		t.Errorf("%d %v", r.status, r.header)
	}
	if r := f.do("HEAD", "/nobucket", nil, nil); r.status != 404 || len(r.body) != 0 {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// Elsewhere a bucket needs its LocationConstraint, and is made once.
func TestBucketsElsewhere(t *testing.T) {
	c := config(filepath.Join(t.TempDir(), "bucket"))
	c.Region = "eu-west-1"
	s, err := New(c)
	must(t, err)
	h := httptest.NewServer(s)
	t.Cleanup(func() { h.Close(); must(t, s.Close()) })
	f := &fixture{t: t, dir: c.Dir, server: s, url: h.URL, log: new(syncBuffer), signer: sigv4.NewSigner("eu-west-1")}
	at := func(place string) []byte {
		return []byte("<CreateBucketConfiguration><LocationConstraint>" + place + "</LocationConstraint></CreateBucketConfiguration>")
	}
	f.expect(f.do("PUT", "/photos", nil, nil), 400, "IllegalLocationConstraintException")
	f.expect(f.do("PUT", "/photos", at("eu-north-1"), nil), 400, "IllegalLocationConstraintException")
	f.expect(f.do("PUT", "/photos", at("us-east-1"), nil), 400, "InvalidLocationConstraint")
	f.expect(f.do("HEAD", "/photos", nil, nil), 404, "")
	f.expect(f.do("PUT", "/photos", at("eu-west-1"), nil), 200, "")
	f.expect(f.do("PUT", "/photos", at("eu-west-1"), nil), 409, "BucketAlreadyOwnedByYou")
	f.expect(f.do("PUT", "/second", at("EU"), nil), 200, "")
	r := f.do("GET", "/photos?location", nil, nil)
	if !strings.Contains(string(r.body), ">eu-west-1<") {
		t.Errorf("%s", r.body)
	}
	if p := f.buckets(""); p.names() != "photos second" || p.Buckets[0].BucketRegion != "eu-west-1" {
		t.Errorf("%+v", p)
	}
}

func TestCreateBucket(t *testing.T) {
	f := start(t)
	location := func(s string) string { return "<CreateBucketConfiguration>" + s + "</CreateBucketConfiguration>" }
	for i, c := range []struct {
		body, header, value string
		status              int
		code                string
	}{
		{"", "", "", 200, ""},
		{location(""), "", "", 200, ""},
		{location("<LocationConstraint></LocationConstraint>"), "", "", 200, ""},
		{location("<LocationConstraint>us-east-1</LocationConstraint>"), "", "", 400, "InvalidLocationConstraint"},
		{location("<LocationConstraint>eu-west-1</LocationConstraint>"), "", "", 400, "IllegalLocationConstraintException"},
		{location("<LocationConstraint></LocationConstraint><LocationConstraint>x</LocationConstraint>"), "", "", 400, "MalformedXML"},
		{location("<Tags><Tag><Key>a</Key><Value>b</Value></Tag></Tags>"), "", "", 501, "NotImplemented"},
		{location("<Bucket><Type>Directory</Type></Bucket>"), "", "", 501, "NotImplemented"},
		{"<Other/>", "", "", 400, "MalformedXML"},
		{"x", "", "", 400, "MalformedXML"},
		{strings.Repeat("x", maxSettings+1), "", "", 400, "MaxMessageLengthExceeded"},
		{"", "x-amz-object-ownership", "BucketOwnerEnforced", 200, ""},
		{"", "x-amz-object-ownership", "BucketOwnerPreferred", 501, "NotImplemented"},
		{"", "x-amz-object-ownership", "ObjectWriter", 501, "NotImplemented"},
		{"", "x-amz-object-ownership", "Nobody", 400, "InvalidArgument"},
		{"", "x-amz-bucket-object-lock-enabled", "true", 501, "NotImplemented"},
		{"", "x-amz-bucket-object-lock-enabled", "false", 200, ""},
		{"", "x-amz-acl", "private", 200, ""},
		{"", "x-amz-acl", "public-read", 400, "InvalidBucketAclWithObjectOwnership"},
		{"", "x-amz-acl", "authenticated-read", 400, "InvalidBucketAclWithObjectOwnership"},
		{"", "x-amz-grant-read", "id=1", 400, "InvalidBucketAclWithObjectOwnership"},
		{"", "x-amz-bucket-namespace", "account-regional", 501, "NotImplemented"},
		{"", "Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==", 400, "BadDigest"},
	} {
		name := fmt.Sprintf("/made-%d", i)
		header := map[string]string{}
		if c.header != "" {
			header[c.header] = c.value
		}
		r := f.do("PUT", name, []byte(c.body), header)
		if r.status != c.status || r.code() != c.code || c.status == 200 && r.header.Get("Location") != name {
			t.Errorf("%.80s %s %s: %d %s", c.body, c.header, c.value, r.status, r.body)
		}
		if got := f.do("HEAD", name, nil, nil); (got.status == 200) != (c.status == 200) {
			t.Errorf("%.80s %s %s: there is one: %d", c.body, c.header, c.value, got.status)
		}
	}
}

// [D] "Bucket naming rules", those for new buckets included.
func TestBucketNames(t *testing.T) {
	f := start(t)
	for name, status := range map[string]int{
		"abc": 200, "a-b": 200, "a.b.c": 200, "123": 200, "1.2.3.4.5": 200, strings.Repeat("a", 63): 200, "xn-a": 200, "a-s3alias-b": 200,
		"ab": 400, strings.Repeat("a", 64): 400, "Abc": 400, "a_b": 400, "-ab": 400, "ab-": 400, ".ab": 400, "ab.": 400, "a..b": 400, "192.168.5.4": 400, "a%20b": 400,
		"%2e%2e": 400, "..%2Fx": 400, ".deleted-a": 400, "xn--a": 400, "sthree-a": 400, "sthree-configurator": 400, "amzn-s3-demo-a": 400, "a-s3alias": 400, "a--ol-s3": 400, "a.mrap": 400,
		"a--x-s3": 400, "a--table-s3": 400,
	} {
		r := f.do("PUT", "/"+name, nil, nil)
		if r.status != status || status == 400 && r.code() != "InvalidBucketName" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	// One that has such a name from before is still served.
	must(t, os.MkdirAll(filepath.Join(f.dir, "xn--old", objectsDir), 0o700))
	must(t, os.Mkdir(filepath.Join(f.dir, "xn--old", draftsDir), 0o700))
	f.expect(f.do("PUT", "/xn--old/a", []byte("x"), nil), 200, "")
}

// [D] DeleteBucket: "all objects in the bucket must be deleted before".
func TestDeleteBucket(t *testing.T) {
	f := start(t)
	f.expect(f.do("DELETE", "/nobucket", nil, nil), 404, "NoSuchBucket")
	f.put("a", "x")
	f.expect(f.do("DELETE", "/photos", nil, nil), 409, "BucketNotEmpty")
	f.expect(f.get("a"), 200, "")
	f.expect(f.do("DELETE", "/photos/a", nil, nil), 204, "")
	f.expect(f.putCORS(corsDoc), 200, "")
	f.expect(f.do("DELETE", "/photos?publicAccessBlock", nil, nil), 204, "")
	id := f.do("POST", "/photos/part?uploads", nil, nil).element("UploadId")
	part := "/photos/part?partNumber=1&uploadId=" + id
	f.expect(f.do("PUT", part, []byte("x"), nil), 200, "")
	f.expect(f.do("DELETE", "/photos", nil, nil), 204, "") // an unfinished upload does not keep it
	f.expect(f.do("DELETE", "/photos", nil, nil), 404, "NoSuchBucket")
	f.expect(f.do("PUT", "/photos/a", []byte("x"), nil), 404, "NoSuchBucket")
	f.expect(f.post(formSpec{}), 404, "NoSuchBucket")
	f.expect(f.do("GET", "/photos?cors", nil, nil), 404, "NoSuchBucket")
	if names, err := readNames(f.dir); err != nil || len(names) != 1 {
		t.Errorf("%v %v is left", names, err)
	}
	f.expect(f.do("PUT", part, []byte("x"), nil), 404, "NoSuchBucket")
	// A new one of that name begins anew.
	f.expect(f.do("PUT", "/photos", nil, nil), 200, "")
	f.expect(f.do("PUT", part, []byte("x"), nil), 404, "NoSuchUpload")
	f.expect(f.do("GET", "/photos?cors", nil, nil), 404, "NoSuchCORSConfiguration")
	f.expect(f.do("GET", "/photos?publicAccessBlock", nil, nil), 200, "")
	f.put("a", "y")
	if r := f.get("a"); string(r.body) != "y" {
		t.Errorf("%s", r.body)
	}
}

// What holds a bucket that was deleted meanwhile changes nothing of the new one
// with its name.
func TestDeletedBucketIsGoneForWhoeverHoldsIt(t *testing.T) {
	f := start(t)
	old, err := f.server.bucket(testBucket)
	must(t, err)
	d, err := old.newDraft(digests{})
	must(t, err)
	write(t, d, "late")
	f.expect(f.do("DELETE", "/photos", nil, nil), 204, "")
	gone := func(err error) {
		t.Helper()
		if !errors.Is(err, errNoBucket(testBucket)) {
			t.Errorf("%v", err)
		}
	}
	_, err = old.newDraft(digests{})
	gone(err)
	f.expect(f.do("PUT", "/photos", nil, nil), 200, "")
	f.put("a", "new")
	gone(old.commit(d, &object{Key: "a"}, precondition{}))
	gone(old.remove("a", precondition{}))
	gone(old.cors.set(old, []byte(corsDoc)))
	gone(f.server.remove(old))
	f.expect(f.do("GET", "/photos?cors", nil, nil), 404, "NoSuchCORSConfiguration")
	if r := f.get("a"); string(r.body) != "new" {
		t.Errorf("%s", r.body)
	}
	if all := f.files(); len(all) != 1 {
		t.Errorf("%v", all)
	}
}

// Writers race with DeleteBucket: an acknowledged object is there, or the
// deletion was refused; never both lost and acknowledged.
func TestDeleteBucketRacesWithWriters(t *testing.T) {
	f := start(t)
	const rounds, writers = 30, 4
	for round := range rounds {
		name := fmt.Sprintf("/race-%d", round)
		f.expect(f.do("PUT", name, nil, nil), 200, "")
		var wrote [writers]int
		var deleted int
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() { wrote[i] = f.do("PUT", fmt.Sprintf("%s/k%d", name, i), []byte("x"), nil).status })
		}
		all.Go(func() { deleted = f.do("DELETE", name, nil, nil).status })
		all.Wait()
		if deleted != 204 && deleted != 409 {
			t.Fatalf("deleting: %d", deleted)
		}
		for i, status := range wrote {
			got := f.do("GET", fmt.Sprintf("%s/k%d", name, i), nil, nil).status
			switch {
			case deleted == 204 && (status != 404 || got != 404):
				t.Errorf("deleted, and writing answered %d, reading %d", status, got)
			case deleted == 409 && (status != 200 || got != 200):
				t.Errorf("not deleted, and writing answered %d, reading %d", status, got)
			}
		}
	}
	if strings.Contains(f.log.String(), `"msg":"request failed"`) {
		t.Errorf("%s", f.log)
	}
}

// Making and deleting one name over and over leaves one state or the other.
func TestCreateRacesWithDelete(t *testing.T) {
	f := start(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				if s := f.do("PUT", "/race", nil, nil).status; s != 200 {
					t.Errorf("making: %d", s)
				}
				if s := f.do("DELETE", "/race", nil, nil).status; s != 204 && s != 404 {
					t.Errorf("deleting: %d", s)
				}
			}
		})
	}
	all.Wait()
	f.do("DELETE", "/race", nil, nil)
	if names, err := readNames(f.dir); err != nil || len(names) != 2 { // .lock and photos
		t.Errorf("%v %v is left", names, err)
	}
}

// The order on disk: the rename is durable before the bucket's files go, and a
// crash between them leaves what the next start removes.
func TestDeleteBucketIsDurable(t *testing.T) {
	f := start(t)
	var steps []string
	f.server.disk.trace = func(c change) {
		switch {
		case c.op == "rename" && strings.Contains(c.to, deletedPrefix):
			steps = append(steps, "rename")
		case c.op == "syncdir" && c.path == f.dir:
			steps = append(steps, "sync")
		case c.op == "remove" && len(steps) > 0 && steps[len(steps)-1] != "remove":
			steps = append(steps, "remove")
		}
	}
	f.expect(f.do("DELETE", "/photos", nil, nil), 204, "")
	f.server.disk.trace = nil
	if got := strings.Join(steps, " "); got != "rename sync remove" {
		t.Errorf("%s", got)
	}

	dir := filepath.Join(t.TempDir(), "bucket")
	left := filepath.Join(dir, deletedPrefix+"X")
	must(t, os.MkdirAll(filepath.Join(left, objectsDir, "00"), 0o700))
	must(t, os.WriteFile(filepath.Join(left, createdFile), nil, 0o600))
	g := startIn(t, dir)
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if p := g.buckets(""); p.names() != testBucket {
		t.Errorf("%+v", p)
	}
}

// CreateBucket that a crash cut short anywhere can be done again, and is dated
// when it was done.
func TestHalfMadeBucketIsDatedWhenMade(t *testing.T) {
	f := start(t)
	must(t, os.MkdirAll(filepath.Join(f.dir, "second", draftsDir), 0o700))
	must(t, os.WriteFile(filepath.Join(f.dir, "second", createdFile), []byte("2001-01-01T00:00:00Z\n"), 0o600))
	if p := f.buckets(""); p.names() != testBucket {
		t.Errorf("%+v", p)
	}
	f.expect(f.do("PUT", "/second", nil, nil), 200, "")
	if p := f.buckets("?prefix=second"); f.now().Sub(p.Buckets[0].CreationDate) > time.Minute {
		t.Errorf("%+v", p)
	}
}
