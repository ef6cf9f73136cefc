package s3d

import (
	"bytes"
	"encoding/base64"
	"hash"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// uploadPart answers UploadPart. Nothing is locked while the part comes in.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
func (x *exchange) uploadPart() error {
	number, err := strconv.Atoi(x.query["partNumber"])
	if err != nil || number < 1 || number > maxParts {
		return fault(http.StatusBadRequest, "InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive",
			"ArgumentName", "partNumber", "ArgumentValue", x.query["partNumber"])
	}
	p, err := x.payload()
	if err != nil {
		return err
	}
	if p.length > maxPut {
		return errTooLarge(p.length, maxPut)
	}
	u, err := x.upload()
	if err != nil {
		return err
	}
	further, err := u.take(p)
	if err != nil {
		return err
	}
	d, sum, err := x.receive(p)
	if err != nil {
		return err
	}
	defer d.discard()
	o := &object{Key: u.key, Modified: x.s.now().UnixMilli()}
	o.keep(p.want.algorithm, sum)
	answered := o.Checksums
	if further != nil {
		o.Checksums = map[string]string{p.want.algorithm.name: sum, u.algorithm.name: base64.StdEncoding.EncodeToString(further.Sum(nil))}
	}
	if err := d.finish(o); err != nil {
		return err
	}
	if err := x.bucket.keepPart(u, d, number); err != nil {
		return err
	}
	h := x.w.Header()
	h["ETag"] = []string{`"` + o.ETag + `"`}
	for name, v := range answered {
		h[checksumPrefix+name] = []string{v}
	}
	x.answer(http.StatusOK, "", nil)
	return nil
}

// take sees to it that a part's body is hashed as the upload wants it. Where the
// client chose the upload's checksum, parts must keep to it, and bring it if
// the object's is made of theirs. Where nobody chose, a part may come with any:
// then it is hashed twice, and the hash returned is of the upload's kind.
func (u *openUpload) take(p *payload) (further hash.Hash, err error) {
	given := p.want.algorithm
	switch {
	case given == nil && u.asked && u.composite:
		return nil, errChecksumKind(u.algorithm, "null")
	case given == nil:
		p.want.algorithm = u.algorithm
	case given.name == u.algorithm.name:
	case u.asked:
		return nil, errChecksumKind(u.algorithm, given.name)
	default:
		further = u.algorithm.new()
		p.Reader = io.TeeReader(p.Reader, further)
	}
	return further, nil
}

func errChecksumKind(want *algorithm, got string) error {
	return errInvalidRequest("Checksum Type mismatch occurred, expected checksum Type: " + want.name + ", actual checksum Type: " + got)
}

// part reads what there is to say about a part, nil when there is none.
func (b *bucket) part(u *openUpload, number int) (*object, error) {
	f, o, err := openObject(filepath.Join(b.uploadDir(u.id), partName(number)), u.key)
	if isNoObject(err) {
		return nil, nil //nolint:nilnil // no part is an answer
	}
	if err != nil {
		return nil, err
	}
	return o, f.Close()
}

// partNumbers returns the numbers of an upload's parts in order.
func (b *bucket) partNumbers(u *openUpload) ([]int, error) {
	names, err := readNames(b.uploadDir(u.id))
	if err != nil {
		return nil, err
	}
	numbers := make([]int, 0, len(names))
	for _, name := range names {
		if n := partNumber(name); n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// listParts answers ListParts.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html
func (x *exchange) listParts() error {
	limit, err := x.count("max-parts", maxPage)
	if err != nil {
		return err
	}
	marker := 0
	if _, ok := x.query["part-number-marker"]; ok {
		const most = 1<<31 - 1
		if marker, err = x.count("part-number-marker", most); err != nil {
			return err
		}
	}
	u, err := x.upload()
	if err != nil {
		return err
	}
	doc, err := x.partsPage(u, marker, limit)
	if err != nil {
		return err
	}
	x.writeAbort(u.key, u.began())
	x.answer(http.StatusOK, xmlType, doc)
	return nil
}

// partsPage returns a page of a listing, of parts behind a number.
func (x *exchange) partsPage(u *openUpload, marker, limit int) ([]byte, error) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if u.gone {
		return nil, errNoUpload(u.id)
	}
	numbers, err := x.bucket.partNumbers(u)
	if err != nil {
		return nil, err
	}
	behind, _ := slices.BinarySearch(numbers, marker+1)
	numbers = numbers[behind:]
	more := len(numbers) > limit && limit > 0
	numbers = numbers[:min(len(numbers), limit)]
	next := 0 // as S3 answers behind the last part; some clients stop at nothing else
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1]
	}
	var b bytes.Buffer
	b.Grow(512 * (len(numbers) + 2))
	b.WriteString(xmlHeader + `<ListPartsResult xmlns="` + xmlNamespace + `">`)
	element(&b, "Bucket", x.name)
	element(&b, "Key", u.key)
	element(&b, "UploadId", u.id)
	element(&b, "PartNumberMarker", strconv.Itoa(marker))
	element(&b, "NextPartNumberMarker", strconv.Itoa(next))
	element(&b, "MaxParts", strconv.Itoa(limit))
	element(&b, "IsTruncated", strconv.FormatBool(more))
	for _, n := range numbers {
		o, err := x.bucket.part(u, n)
		if err != nil {
			return nil, err
		}
		if o == nil { // not a whole file: as if it were not there
			continue
		}
		b.WriteString("<Part>")
		element(&b, "PartNumber", strconv.Itoa(n))
		element(&b, "LastModified", o.modified().Format(timeFormat))
		element(&b, "ETag", `"`+o.ETag+`"`)
		element(&b, "Size", strconv.FormatInt(o.Size, 10))
		if sum := o.Checksums[u.algorithm.name]; sum != "" {
			element(&b, "Checksum"+strings.ToUpper(u.algorithm.name), sum)
		}
		b.WriteString("</Part>")
	}
	writeInitiator(&b)
	element(&b, "StorageClass", "STANDARD")
	element(&b, "ChecksumAlgorithm", u.algorithm.upper())
	element(&b, "ChecksumType", u.checksumType())
	b.WriteString("</ListPartsResult>")
	return b.Bytes(), nil
}
