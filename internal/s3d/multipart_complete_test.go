package s3d

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// compositeOf is the checksum of parts' checksums, computed from its definition.
func compositeOf(name string, bodies ...string) string {
	h := findAlgorithm(name).new()
	for _, b := range bodies {
		one := findAlgorithm(name).new()
		one.Write([]byte(b))
		h.Write(one.Sum(nil))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(bodies))
}

// Checksums of whole objects made of parts: of all bytes, or of the parts'.
func TestCompleteChecksums(t *testing.T) {
	f := start(t)
	bodies := []string{full, full + "x", "the end"}
	whole := strings.Join(bodies, "")
	for _, c := range []struct {
		asked           map[string]string
		name, kind, sum string
	}{
		{nil, "crc64nvme", fullObject, sumOf("crc64nvme", whole)},
		{map[string]string{"x-amz-checksum-algorithm": "CRC64NVME"}, "crc64nvme", fullObject, sumOf("crc64nvme", whole)},
		{map[string]string{"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": fullObject}, "crc32", fullObject, sumOf("crc32", whole)},
		{map[string]string{"x-amz-checksum-algorithm": "CRC32C", "x-amz-checksum-type": fullObject}, "crc32c", fullObject, sumOf("crc32c", whole)},
		{map[string]string{"x-amz-checksum-algorithm": "CRC32"}, "crc32", composite, compositeOf("crc32", bodies...)},
		{map[string]string{"x-amz-checksum-algorithm": "CRC32C"}, "crc32c", composite, compositeOf("crc32c", bodies...)},
		{map[string]string{"x-amz-checksum-algorithm": "SHA1"}, "sha1", composite, compositeOf("sha1", bodies...)},
		{map[string]string{"x-amz-checksum-algorithm": "SHA256"}, "sha256", composite, compositeOf("sha256", bodies...)},
	} {
		u := f.inParts("a", c.asked)
		header, tag := "x-amz-checksum-"+c.name, "Checksum"+strings.ToUpper(c.name)
		var parts, without []string
		for i, b := range bodies {
			r := u.part(i+1, b, map[string]string{header: sumOf(c.name, b)})
			f.expect(r, 200, "")
			etag := r.header.Get("ETag")
			parts = append(parts, named(i+1, etag, "<"+tag+">"+sumOf(c.name, b)+"</"+tag+">"))
			without = append(without, named(i+1, etag))
		}
		// What is said of the whole is checked, before anything is made of it.
		wrong := sumOf(c.name, "other")
		other := map[string]string{fullObject: composite, composite: fullObject}[c.kind]
		for _, x := range []struct {
			header        map[string]string
			code, message string
		}{
			{map[string]string{header: wrong}, "BadDigest", "The " + c.name + " you specified did not match the calculated checksum."},
			{map[string]string{header: wrong + "-3"}, "BadDigest", ""},
			{map[string]string{header: strings.TrimSuffix(c.sum, "-3") + "-2"}, "BadDigest", ""},
			{map[string]string{header: "x"}, "InvalidRequest", "Value for " + header + " header is invalid."},
			{map[string]string{"x-amz-checksum-type": other}, "InvalidRequest", "The upload was created using the " + c.kind + " checksum mode. The complete request must use the same checksum mode."},
			{map[string]string{"x-amz-checksum-type": "x"}, "InvalidRequest", "Value for x-amz-checksum-type header is invalid."},
			{map[string]string{"x-amz-mp-object-size": strconv.Itoa(len(whole) - 1)}, "InvalidRequest", fmt.Sprintf("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", len(whole)-1, len(whole))},
			{map[string]string{"x-amz-mp-object-size": "-1"}, "InvalidRequest", "Value for x-amz-mp-object-size header is less than zero: '-1'"},
			{map[string]string{"x-amz-mp-object-size": "x"}, "InvalidRequest", "Value for x-amz-mp-object-size header is invalid."},
			{map[string]string{header: c.sum, map[bool]string{true: "x-amz-checksum-sha1", false: "x-amz-checksum-sha256"}[c.name == "sha256"]: wrong}, "InvalidRequest", ""},
		} {
			r := u.complete(x.header, parts...)
			if f.expect(r, 400, x.code); x.message != "" && r.element("Message") != x.message {
				t.Errorf("%+v, %v: %s", c, x.header, r.body)
			}
		}
		mismatch := map[string]string{"x-amz-checksum-crc32": sumOf("crc32", whole)}
		if c.name == "crc32" {
			mismatch = map[string]string{"x-amz-checksum-sha1": sumOf("sha1", whole)}
		}
		r := u.complete(mismatch, parts...)
		if f.expect(r, 400, "InvalidRequest"); !strings.HasPrefix(r.element("Message"), "Checksum Type mismatch occurred, expected checksum Type: "+c.name) {
			t.Errorf("%s", r.body)
		}
		// And of each part.
		bad := slices.Clone(parts)
		bad[1] = strings.Replace(bad[1], sumOf(c.name, bodies[1]), wrong, 1)
		r = u.complete(nil, bad...)
		if f.expect(r, 400, "InvalidPart"); r.element("PartNumber") != "2" {
			t.Errorf("%s", r.body)
		}
		if c.kind == composite {
			r = u.complete(nil, parts[0], without[1], parts[2])
			if f.expect(r, 400, "InvalidRequest"); r.element("Message") != "The upload was created using a "+c.name+" checksum. The complete request must include the checksum for each part. It was missing for part 2 in the request." {
				t.Errorf("%s", r.body)
			}
			f.expect(u.complete(nil, parts[1:]...), 400, "InvalidRequest") // not from 1 on
		} else {
			parts = without
		}
		f.expect(f.get("a"), 404, "NoSuchKey")

		claims := map[string]string{header: c.sum, "x-amz-checksum-type": c.kind, "x-amz-mp-object-size": strconv.Itoa(len(whole))}
		if c.kind == composite && c.name == "sha1" { // as documents have it
			claims[header] = strings.TrimSuffix(c.sum, "-3")
		}
		r = u.complete(claims, parts...)
		f.expect(r, 200, "")
		if r.element("ETag") != etagOfBodies(bodies...) || r.element(tag) != c.sum || r.element("ChecksumType") != c.kind {
			t.Errorf("%+v: %s", c, r.body)
		}
		g := f.do("GET", "/photos/a", nil, map[string]string{"x-amz-checksum-mode": "ENABLED"})
		if string(g.body) != whole || g.header.Get(header) != c.sum || g.header.Get("x-amz-checksum-type") != c.kind {
			t.Errorf("%+v: %d bytes, %v", c, len(g.body), g.header)
		}
		if l := string(f.do("GET", "/photos?list-type=2", nil, nil).body); !strings.Contains(l, "<ChecksumAlgorithm>"+strings.ToUpper(c.name)+"</ChecksumAlgorithm><ChecksumType>"+c.kind+"</ChecksumType>") {
			t.Errorf("%s", l)
		}
		f.expect(f.do("DELETE", "/photos/a", nil, nil), 204, "")
	}
	// Recorded from S3: 3 parts, by the SHA-256 that each had.
	all := sha256.New()
	for _, part := range []string{"lcKa6Boe7a167tUCN5C4OaFygGSYD8MBnBARTrdL+1w=", "gHjhbUT4oo2tSCtSZJdlKi+jeNXJT+VImqdPXsXvkOc=", "4l9PQ3zOPZ0oGFvknFX+J4zZwE4WMzO+l3r8XrbWOeM="} {
		b, err := base64.StdEncoding.DecodeString(part)
		must(t, err)
		all.Write(b)
	}
	o := new(object)
	var stored []storedPart
	for _, part := range []string{"lcKa6Boe7a167tUCN5C4OaFygGSYD8MBnBARTrdL+1w=", "gHjhbUT4oo2tSCtSZJdlKi+jeNXJT+VImqdPXsXvkOc=", "4l9PQ3zOPZ0oGFvknFX+J4zZwE4WMzO+l3r8XrbWOeM="} {
		stored = append(stored, storedPart{sum: decode64(part, sha256.Size)})
	}
	o.become(&openUpload{algorithm: findAlgorithm("sha256"), composite: true}, stored)
	if o.Checksums["sha256"] != "rVWtNbadtsaKXJAcgWPWjifHzJaXde/iV4jaJAOdivc=-3" {
		t.Errorf("%v", o.Checksums)
	}
}

// A part of an upload for which nobody chose a checksum may come with any, and
// be named with that.
func TestCompleteWithOtherChecksums(t *testing.T) {
	f := start(t)
	u := f.inParts("a", nil)
	sum := sha1.Sum([]byte("x"))
	r := u.part(3, "x", map[string]string{"x-amz-checksum-sha1": base64.StdEncoding.EncodeToString(sum[:])})
	f.expect(r, 200, "")
	etag := r.header.Get("ETag")
	tag := func(name, sum string) string { return "<Checksum" + name + ">" + sum + "</Checksum" + name + ">" }
	f.expect(u.complete(nil, named(3, etag, tag("SHA1", sumOf("sha1", "y")))), 400, "InvalidPart")
	f.expect(u.complete(nil, named(3, etag, tag("CRC32", sumOf("crc32", "x")))), 400, "InvalidPart") // which it came without
	r = u.complete(nil, named(3, etag, tag("SHA1", sumOf("sha1", "x"))))
	f.expect(r, 200, "")
	if r.element("ChecksumCRC64NVME") != sumOf("crc64nvme", "x") || r.element("ETag") != etagOfBodies("x") {
		t.Errorf("%s", r.body)
	}
}

// [D] CompleteMultipartUpload: the errors of its document and parts, each with
// what S3 tells of it. None ends the upload.
func TestCompleteErrors(t *testing.T) {
	f := start(t)
	u := f.inParts("a", map[string]string{"x-amz-meta-a": "b"})
	one, two, four := u.upload(1, full), u.upload(2, full[:minPart-1]), u.upload(4, "end")
	const notFound = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
	for name, c := range map[string]struct {
		parts   []string
		code    string
		message string
		more    map[string]string
	}{
		"none":            {nil, "MalformedXML", "", nil},
		"no number":       {[]string{"<Part><ETag>x</ETag></Part>"}, "MalformedXML", "", nil},
		"no ETag":         {[]string{"<Part><PartNumber>1</PartNumber></Part>"}, "MalformedXML", "", nil},
		"two ETags":       {[]string{named(1, one, "<ETag>x</ETag>")}, "MalformedXML", "", nil},
		"two numbers":     {[]string{named(1, one, "<PartNumber>1</PartNumber>")}, "MalformedXML", "", nil},
		"another element": {[]string{named(1, one, "<Size>1</Size>")}, "MalformedXML", "", nil},
		"a word":          {[]string{"<Part><PartNumber>one</PartNumber><ETag>x</ETag></Part>"}, "MalformedXML", "", nil},
		"a large number":  {[]string{"<Part><PartNumber>99999999999999999999</PartNumber><ETag>x</ETag></Part>"}, "MalformedXML", "", nil},
		"other things":    {[]string{named(1, one), "<Key>a</Key>"}, "MalformedXML", "", nil},
		"zero":            {[]string{named(0, one)}, "InvalidArgument", "PartNumber must be >= 1", nil},
		"negative":        {[]string{named(-1, one)}, "InvalidArgument", "PartNumber must be >= 1", nil},
		"bad checksum":    {[]string{named(1, one, "<ChecksumCRC32>x</ChecksumCRC32>")}, "InvalidArgument", "Invalid Base64 or multiple checksums present in request", nil},
		"two checksums": {
			[]string{named(1, one, "<ChecksumCRC32>AAAAAA==</ChecksumCRC32><ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>")},
			"InvalidArgument", "Invalid Base64 or multiple checksums present in request", nil,
		},
		"descending": {[]string{named(2, two), named(1, one)}, "InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.", map[string]string{"UploadId": u.id}},
		"twice":      {[]string{named(1, one), named(1, one)}, "InvalidPartOrder", "", nil},
		"not there":  {[]string{named(1, one), named(3, one)}, "InvalidPart", notFound, map[string]string{"UploadId": u.id, "PartNumber": "3", "ETag": strings.Trim(one, `"`)}},
		"too high":   {[]string{named(1, one), named(10_001, one)}, "InvalidPart", notFound, map[string]string{"PartNumber": "10001"}},
		"other ETag": {[]string{named(1, one), named(4, one)}, "InvalidPart", notFound, map[string]string{"PartNumber": "4"}},
		"empty ETag": {[]string{named(1, "")}, "InvalidPart", notFound, nil},
		"upper ETag": {[]string{named(1, strings.ToUpper(one))}, "InvalidPart", notFound, nil},
		"too small": {
			[]string{named(1, one), named(2, two), named(4, four)},
			"EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size",
			map[string]string{"ProposedSize": "5242879", "MinSizeAllowed": "5242880", "PartNumber": "2", "ETag": strings.Trim(two, `"`)},
		},
	} {
		r := u.complete(nil, c.parts...)
		if r.status != 400 || r.code() != c.code || c.message != "" && r.element("Message") != c.message {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		for element, want := range c.more {
			if got := r.element(element); got != want {
				t.Errorf("%s: %s is %q, want %q", name, element, got, want)
			}
		}
	}
	for _, doc := range []string{"", "x", "<CompleteMultipartUpload/>", "<Complete>" + named(1, one) + "</Complete>", "<CompleteMultipartUpload>" + named(1, one)} {
		f.expect(f.do("POST", u.target(), []byte(doc), nil), 400, "MalformedXML")
	}
	f.expect(f.do("POST", u.target(), []byte("<CompleteMultipartUpload>"+named(4, four)+"</CompleteMultipartUpload>"),
		map[string]string{"Content-MD5": base64.StdEncoding.EncodeToString(make([]byte, 16))}), 400, "BadDigest")
	f.absent("a")
	// Some of the parts, with a gap, without quotes; the others go, too.
	r := u.complete(nil, named(1, strings.Trim(one, `"`)), named(4, "&quot;"+strings.Trim(four, `"`)+"&quot;"))
	f.expect(r, 200, "")
	g := f.get("a")
	if string(g.body) != full+"end" || r.element("ETag") != etagOfBodies(full, "end") || g.header.Get("x-amz-meta-a") != "b" {
		t.Errorf("%d bytes, %s", len(g.body), r.body)
	}
	if left := f.files(); len(left) != 1 {
		t.Errorf("left %v", left)
	}
}

// If-None-Match and If-Match of a CompleteMultipartUpload.
func TestCompleteConditions(t *testing.T) {
	f := start(t)
	complete := func(u inParts, etag string, header map[string]string) reply {
		return u.complete(header, named(1, etag))
	}
	u := f.inParts("a", nil)
	etag := u.upload(1, "new")
	f.expect(complete(u, etag, map[string]string{"If-Match": `"x"`}), 404, "NoSuchKey")
	f.put("a", "old")
	f.expect(complete(u, etag, map[string]string{"If-None-Match": "*"}), 412, "PreconditionFailed")
	f.expect(complete(u, etag, map[string]string{"If-Match": `"x"`}), 412, "PreconditionFailed")
	f.expect(complete(u, etag, map[string]string{"If-None-Match": `"x"`}), 501, "NotImplemented")
	if g := f.get("a"); string(g.body) != "old" || len(u.parts("").Parts) != 1 {
		t.Errorf("%s", g.body)
	}
	f.expect(complete(u, etag, map[string]string{"If-Match": etagOf("old")}), 200, "")
	if g := f.get("a"); string(g.body) != "new" {
		t.Errorf("%s", g.body)
	}
	// A race of uploads for one key has one winner, and the others stay. All
	// have found the key absent before any goes on.
	for round := range 2 {
		const racers = 8
		key := fmt.Sprint("race", round)
		uploads, etags := make([]inParts, racers), make([]string, racers)
		for i := range uploads {
			uploads[i] = f.inParts(key, nil)
			etags[i] = uploads[i].upload(1, fmt.Sprint(i))
		}
		var started sync.WaitGroup
		started.Add(racers)
		f.server.disk.trace = func(c change) {
			if c.op == "create" { // a draft
				started.Done()
				started.Wait()
			}
		}
		var all sync.WaitGroup
		var mu sync.Mutex
		var won []string
		for i, u := range uploads {
			all.Go(func() {
				r := complete(u, etags[i], map[string]string{"If-None-Match": "*"})
				mu.Lock()
				defer mu.Unlock()
				if r.status == 200 {
					won = append(won, fmt.Sprint(i))
				} else if r.status != 412 {
					t.Errorf("%d %s", r.status, r.body)
				}
			})
		}
		all.Wait()
		f.server.disk.trace = nil
		if g := f.get(key); len(won) != 1 || string(g.body) != won[0] {
			t.Errorf("won: %v, there: %s", won, g.body)
		}
		if l := f.uploads("&prefix=" + key); len(l.Upload) != racers-1 {
			t.Errorf("%d uploads are left", len(l.Upload))
		}
	}
}

// A CompleteMultipartUpload whose answer was lost can be sent again: it is
// answered as it was, also after a restart, and changes nothing.
func TestCompleteAgain(t *testing.T) {
	f := start(t)
	u := f.inParts("a", map[string]string{"x-amz-checksum-algorithm": "SHA256"})
	sum := sumOf("sha256", "x")
	r := u.part(1, "x", map[string]string{"x-amz-checksum-sha256": sum})
	f.expect(r, 200, "")
	part := named(1, r.header.Get("ETag"), "<ChecksumSHA256>"+sum+"</ChecksumSHA256>")
	header := map[string]string{"If-None-Match": "*"}
	var all sync.WaitGroup
	replies := make([]reply, 8)
	for i := range replies {
		all.Go(func() { replies[i] = u.complete(header, part) })
	}
	all.Wait()
	written := f.get("a").header.Get("Last-Modified")
	f.advance(3 * time.Second)
	replies = append(replies, u.complete(nil, part))
	for _, r := range replies {
		f.expect(r, 200, "")
		if string(r.body) != string(replies[0].body) || r.element("ChecksumSHA256") != compositeOf("sha256", "x") {
			t.Errorf("%s", r.body)
		}
	}
	if got := f.server.Stats().ObjectsWritten; got != 1 {
		t.Errorf("%d objects were written", got)
	}
	if f.get("a").header.Get("Last-Modified") != written {
		t.Error("it was written again")
	}
	f.expect(f.do("PUT", "/photos/a?tagging", []byte("<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"),
		digested([]byte("<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"))), 200, "")
	f.restart()
	f.expect(u.complete(header, part), 200, "")
	// But only by its own parts, for the rest is over, and not of a copy.
	f.expect(u.complete(nil, named(1, `"00000000000000000000000000000000"`)), 404, "NoSuchUpload")
	f.expect(u.complete(nil, part, named(2, r.header.Get("ETag"))), 404, "NoSuchUpload")
	f.expect(u.part(1, "x", map[string]string{"x-amz-checksum-sha256": sum}), 404, "NoSuchUpload")
	f.expect(f.do("DELETE", u.target(), nil, nil), 404, "NoSuchUpload")
	f.expect(f.do("PUT", "/photos/b", nil, map[string]string{"x-amz-copy-source": "/photos/a"}), 200, "")
	f.expect(inParts{f, "b", u.id}.complete(nil, part), 404, "NoSuchUpload")
	f.put("a", "overwritten")
	f.expect(u.complete(nil, part), 404, "NoSuchUpload")
	if g := f.get("a"); string(g.body) != "overwritten" {
		t.Errorf("%s", g.body)
	}
}

// Threat 14: ten thousand tiny parts cost a bounded amount of memory and time,
// make no object, and are gone when the upload is aborted.
func TestThreat14_ManyTinyParts(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 10 000 files")
	}
	f := start(t)
	f.server.disk.fsync = false
	u := f.inParts("a", nil)
	var doc strings.Builder
	doc.WriteString("<CompleteMultipartUpload>")
	etag := etagOf("x")
	var one reply
	cost := costOf(func() {
		for n := 1; n <= maxParts; n++ {
			one = f.direct("PUT", fmt.Sprintf("%s&partNumber=%d", u.target(), n), []byte("x"), &testKey, nil)
			if one.status != 200 {
				t.Fatalf("part %d: %d %s", n, one.status, one.body)
			}
			doc.WriteString(named(n, etag))
		}
	})
	if each := cost / maxParts; each > 64<<10 {
		t.Errorf("a part cost %d bytes", each)
	}
	doc.WriteString("</CompleteMultipartUpload>")
	begun := time.Now()
	var r reply
	cost = costOf(func() {
		r = f.direct("POST", u.target(), []byte(doc.String()), &testKey, nil)
	})
	if r.status != 400 || r.code() != "EntityTooSmall" || r.element("PartNumber") != "1" {
		t.Errorf("%d %s", r.status, r.body)
	}
	t.Logf("refused after %v for %d bytes", time.Since(begun), cost)
	if took := time.Since(begun); took > 10*time.Second || cost > 96<<20 {
		t.Errorf("took %v and cost %d bytes", took, cost)
	}
	begun = time.Now()
	cost = costOf(func() { r = f.direct("GET", u.target()+"&part-number-marker=9000", nil, &testKey, nil) })
	if r.status != 200 || strings.Count(string(r.body), "<Part>") != 1000 {
		t.Errorf("%d, %d parts", r.status, strings.Count(string(r.body), "<Part>"))
	}
	t.Logf("listed in %v for %d bytes", time.Since(begun), cost)
	if took := time.Since(begun); took > 5*time.Second || cost > 16<<20 {
		t.Errorf("took %v and cost %d bytes", took, cost)
	}
	f.expect(f.do("DELETE", u.target(), nil, nil), 204, "")
	if left := f.files(); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

// Threat 14: the parts of an upload cannot be changed any more once the server
// has completed it, and a part that was put again behind its back is noticed.
func TestThreat14_PartsAreSettled(t *testing.T) {
	f := start(t)
	u := f.inParts("a", nil)
	put := strings.TrimPrefix(f.presign("PUT", u.target()+"&partNumber=1", nil), f.url)
	send := func(body string) reply { return f.raw(f.request("PUT", put, []byte(body), nil)) }
	f.expect(send("checked"), 200, "")
	etag := u.parts("").Parts[0].ETag
	f.expect(send("swapped"), 200, "")
	f.expect(u.complete(nil, named(1, etag)), 400, "InvalidPart")
	f.expect(send("checked"), 200, "")
	f.expect(u.complete(nil, named(1, etag)), 200, "")
	f.expect(send("swapped"), 404, "NoSuchUpload")
	if g := f.get("a"); string(g.body) != "checked" {
		t.Errorf("%s", g.body)
	}
}

// A disk that takes no more leaves upload and object as they were.
func TestCompleteFails(t *testing.T) {
	f := start(t)
	f.put("a", "old")
	u := f.inParts("a", nil)
	etag := u.upload(1, "new")
	tmp := f.bucket().dir + "/" + draftsDir
	must(t, os.Rename(tmp, tmp+"x"))
	f.expect(u.complete(nil, named(1, etag)), 500, "InternalError")
	f.expect(u.part(2, "x", nil), 500, "InternalError")
	f.expect(f.do("POST", "/photos/a?uploads", nil, nil), 500, "InternalError")
	must(t, os.Rename(tmp+"x", tmp))
	if g := f.get("a"); string(g.body) != "old" || len(u.parts("").Parts) != 1 || len(f.uploads("").Upload) != 1 {
		t.Errorf("%s", g.body)
	}
	f.expect(u.complete(nil, named(1, etag)), 200, "")
}

// FuzzCompleteXML: what is taken has parts in order, and not too many.
func FuzzCompleteXML(f *testing.F) {
	f.Fuzz(func(t *testing.T, doc []byte) {
		parts, err := parseComplete(doc, "id")
		var e *sigv4.Error
		if err != nil {
			if !errors.As(err, &e) || e.Status != http.StatusBadRequest {
				t.Errorf("error is %v", err)
			}
			return
		}
		if len(parts) == 0 || len(parts) > maxParts {
			t.Errorf("%d parts", len(parts))
		}
		for i, p := range parts {
			if p.number < 1 || i > 0 && p.number <= parts[i-1].number {
				t.Errorf("part %d behind %d", p.number, parts[max(i-1, 0)].number)
			}
			if a := findAlgorithm(p.checksum); (p.checksum != "") != (a != nil) || a != nil && decode64(p.sum, a.size) == nil {
				t.Errorf("%s %q", p.checksum, p.sum)
			}
		}
		again := "<CompleteMultipartUpload>"
		for _, p := range parts {
			sum := ""
			if p.checksum != "" {
				sum = "<Checksum" + strings.ToUpper(p.checksum) + ">" + p.sum + "</Checksum" + strings.ToUpper(p.checksum) + ">"
			}
			again += named(p.number, `"`+xmlText(p.etag)+`"`, sum)
		}
		back, err := parseComplete([]byte(again+"</CompleteMultipartUpload>"), "id")
		if err != nil || !slices.Equal(back, parts) {
			t.Errorf("%v becomes %v (%v)", parts, back, err)
		}
	})
}
