package s3d

import (
	"bytes"
	"crypto/md5" //nolint:gosec // S3's ETag is made of MD5s
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// CompleteMultipartUpload.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html

const (
	objectSizeHeader = "x-amz-mp-object-size"
	// maxCompleteDocument holds 10,000 parts with their ETags and SHA-256s.
	maxCompleteDocument = 2 << 20
)

// namedPart is a part as a CompleteMultipartUpload document names it.
type namedPart struct {
	number   int
	etag     string // without quotes
	checksum string // which; empty: none
	sum      string // base64
}

// parseComplete reads a CompleteMultipartUpload document. Its parts are in
// ascending order.
func parseComplete(doc []byte, id string) ([]namedPart, error) {
	var d struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Parts   []struct {
			Numbers   []string `xml:"PartNumber"`
			ETags     []string `xml:"ETag"`
			CRC32     []string `xml:"ChecksumCRC32"`
			CRC32C    []string `xml:"ChecksumCRC32C"`
			CRC64NVME []string `xml:"ChecksumCRC64NVME"`
			SHA1      []string `xml:"ChecksumSHA1"`
			SHA256    []string `xml:"ChecksumSHA256"`
			unknownElements
		} `xml:"Part"`
		unknownElements
	}
	if err := decodeXML(doc, &d); err != nil {
		return nil, err
	}
	if len(d.Parts) == 0 || len(d.Parts) > maxParts || len(d.Others) > 0 {
		return nil, errMalformedXML()
	}
	parts := make([]namedPart, len(d.Parts))
	for i := range d.Parts {
		from, to := &d.Parts[i], &parts[i]
		if len(from.Numbers) != 1 || len(from.ETags) != 1 || len(from.Others) > 0 {
			return nil, errMalformedXML()
		}
		n, err := strconv.ParseInt(strings.TrimSpace(from.Numbers[0]), 10, 32)
		if err != nil {
			return nil, errMalformedXML()
		}
		if n < 1 {
			return nil, errArgument("PartNumber must be >= 1", "PartNumber")
		}
		to.number, to.etag = int(n), strings.Trim(strings.TrimSpace(from.ETags[0]), `"`)
		for j, sums := range [][]string{from.CRC32, from.CRC32C, from.CRC64NVME, from.SHA1, from.SHA256} {
			for _, sum := range sums {
				a := findAlgorithm(checksumNames()[j])
				if to.checksum != "" || decode64(sum, a.size) == nil {
					return nil, errArgument("Invalid Base64 or multiple checksums present in request", "Checksum")
				}
				to.checksum, to.sum = a.name, sum
			}
		}
		if i > 0 && to.number <= parts[i-1].number {
			return nil, fault(http.StatusBadRequest, "InvalidPartOrder",
				"The list of parts was not in ascending order. Parts must be ordered by part number.", "UploadId", id)
		}
	}
	return parts, nil
}

// claim is what the headers of a CompleteMultipartUpload say of the object.
type claim struct {
	algorithm *algorithm // nil: no checksum
	sum       string
	kind      string // of the checksum; empty: not said
	size      int64  // bytes; -1: not said
}

func (x *exchange) claim() (c claim, err error) {
	c.kind, c.size = x.header(checksumTypeHeader), -1
	if c.kind != "" && c.kind != composite && c.kind != fullObject {
		return c, errInvalidRequest("Value for x-amz-checksum-type header is invalid.")
	}
	if v := x.header(objectSizeHeader); v != "" {
		if c.size, err = strconv.ParseInt(v, 10, 64); err != nil {
			return c, errInvalidRequest("Value for x-amz-mp-object-size header is invalid.")
		}
		if c.size < 0 {
			return c, errInvalidRequest("Value for x-amz-mp-object-size header is less than zero: '" + v + "'")
		}
	}
	// The checksum headers are about the object, not about the body: they are
	// read, and then taken away. A composite one may be followed by the number
	// of parts.
	names := slices.DeleteFunc(x.headerNames(), func(name string) bool { return !strings.HasPrefix(name, checksumPrefix) })
	given, err := wanted(func(name string) string {
		if !strings.HasPrefix(name, checksumPrefix) {
			return ""
		}
		sum, _, _ := strings.Cut(x.header(name), "-")
		return sum
	}, names, "")
	if c.algorithm = given.algorithm; c.algorithm != nil {
		c.sum = x.header(c.algorithm.header())
	}
	for _, name := range names {
		x.r.Header.Del(name)
	}
	return c, err
}

// fits holds what the headers say against how the upload was begun.
func (c *claim) fits(u *openUpload) error {
	if c.kind != "" && c.kind != u.checksumType() {
		return errInvalidRequest("The upload was created using the " + u.checksumType() + " checksum mode. The complete request must use the same checksum mode.")
	}
	if c.algorithm != nil && c.algorithm.name != u.algorithm.name {
		return errChecksumKind(u.algorithm, c.algorithm.name)
	}
	return nil
}

// holds holds what the headers say against the object.
func (c *claim) holds(o *object, size int64) error {
	if c.algorithm != nil {
		sum := o.Checksums[c.algorithm.name]
		short, _, _ := strings.Cut(sum, "-")
		if c.sum != sum && c.sum != short {
			return fault(http.StatusBadRequest, "BadDigest", "The "+c.algorithm.name+" you specified did not match the calculated checksum.")
		}
	}
	if c.size >= 0 && c.size != size {
		return errInvalidRequest(fmt.Sprintf("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", c.size, size))
	}
	return nil
}

// completeUpload makes an object of parts. An upload that has become the object
// which is there already is answered once more, whatever the conditions, if the
// request names the same parts: its answer was lost, perhaps. As the object
// itself knows by which upload it was made, that holds after a restart, and for
// as long as nobody overwrites it. S3: "CompleteMultipartUpload … is idempotent".
func (x *exchange) completeUpload() error {
	c, err := x.claim()
	if err != nil {
		return err
	}
	pre, err := x.writeConditions()
	if err != nil {
		return err
	}
	doc, err := x.document(maxCompleteDocument)
	if err != nil {
		return err
	}
	id := x.query["uploadId"]
	parts, err := parseComplete(doc, id)
	if err != nil {
		return err
	}
	u, err := x.bucket.findUpload(x.key, id)
	if err != nil {
		return err
	}
	var o *object
	if u != nil {
		o, err = x.assemble(u, &c, parts, pre)
	}
	if err == nil && o == nil {
		o, err = x.completed(id, parts)
	}
	if err != nil {
		return err
	}
	x.answerComplete(o)
	return nil
}

// completed returns the object if it was made by this upload of these parts.
func (x *exchange) completed(id string, parts []namedPart) (*object, error) {
	o, err := x.bucket.find(x.key)
	if err != nil {
		return nil, err
	}
	if o == nil || !isUploadID(id) || o.Upload != id {
		return nil, errNoUpload(id)
	}
	etags := make([]string, len(parts))
	for i, p := range parts {
		etags[i] = p.etag
	}
	if etagOfParts(etags) != o.ETag {
		return nil, errNoUpload(id)
	}
	return o, nil
}

// etagOfParts is the ETag of an object made of parts.
func etagOfParts(parts []string) string {
	all := md5.New() //nolint:gosec // nothing here trusts it
	for _, etag := range parts {
		sum, _ := hex.DecodeString(etag) // what is no ETag of a part leads to another sum
		all.Write(sum)
	}
	return hex.EncodeToString(all.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}

// assemble makes the object and ends the upload. It returns nil when somebody
// else has ended it.
func (x *exchange) assemble(u *openUpload, c *claim, parts []namedPart, pre precondition) (*object, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.gone {
		return nil, nil //nolint:nilnil // no upload is an answer
	}
	o, err := x.makeObject(u, c, parts, pre)
	if err != nil {
		if x.bucket.isGone() {
			err = errNoBucket(x.name)
		}
		return nil, err
	}
	if err := x.bucket.endUpload(u); err != nil {
		// The object is there, which is what was asked for. It names the upload,
		// so that what is left of that is removed when the bucket is opened.
		x.bucket.forget(u)
		x.s.log.LogAttrs(x.r.Context(), slog.LevelError, "upload not removed", x.attrs(slog.String("error", err.Error()))...)
	}
	return o, nil
}

func (x *exchange) makeObject(u *openUpload, c *claim, parts []namedPart, pre precondition) (*object, error) {
	if err := c.fits(u); err != nil {
		return nil, err
	}
	stored, err := x.findParts(u, parts)
	if err != nil {
		return nil, err
	}
	o, err := x.bucket.readUpload(u.id)
	if err != nil {
		return nil, fmt.Errorf("read upload: %w", err)
	}
	o.Upload = u.id
	size := o.become(u, stored)
	if size > maxObject {
		return nil, errTooLarge(size, maxObject)
	}
	if err := c.holds(o, size); err != nil {
		return nil, err
	}
	if err := pre.met(x.bucket, x.key); err != nil { // commit decides for good
		return nil, err
	}
	d, err := x.bucket.newDraft(digests{})
	if err != nil {
		return nil, err
	}
	defer d.discard()
	for i := range stored {
		if err := x.bucket.copyPart(d, u, &stored[i]); err != nil {
			return nil, err
		}
	}
	return o, x.commit(d, o, pre)
}

// storedPart is a part that was uploaded.
type storedPart struct {
	number int
	size   int64
	etag   string
	sum    []byte // of the upload's kind
}

// findParts looks up the parts that a request names.
func (x *exchange) findParts(u *openUpload, parts []namedPart) ([]storedPart, error) {
	numbers, err := x.bucket.partNumbers(u)
	if err != nil {
		return nil, err
	}
	there := make(map[int]bool, len(numbers))
	for _, n := range numbers {
		there[n] = true
	}
	stored := make([]storedPart, len(parts))
	for i, p := range parts {
		var o *object
		if there[p.number] {
			if o, err = x.bucket.part(u, p.number); err != nil {
				return nil, err
			}
		}
		// A part that nobody chose a checksum for may have come with one.
		if o == nil || o.ETag != p.etag || p.checksum != "" && o.Checksums[p.checksum] != p.sum {
			return nil, fault(http.StatusBadRequest, "InvalidPart",
				"One or more of the specified parts could not be found.  The part may not have been uploaded, "+
					"or the specified entity tag may not match the part's entity tag.",
				"UploadId", u.id, "PartNumber", strconv.Itoa(p.number), "ETag", p.etag)
		}
		if u.composite {
			if err := u.checkComposite(i, p); err != nil {
				return nil, err
			}
		}
		sum := decode64(o.Checksums[u.algorithm.name], u.algorithm.size)
		if sum == nil {
			return nil, fmt.Errorf("complete upload: part %d has no %s", p.number, u.algorithm.name)
		}
		stored[i] = storedPart{number: p.number, size: o.Size, etag: o.ETag, sum: sum}
	}
	for _, p := range stored[:len(stored)-1] {
		if p.size < minPart {
			return nil, fault(http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size",
				"ProposedSize", strconv.FormatInt(p.size, 10), "MinSizeAllowed", strconv.Itoa(minPart),
				"PartNumber", strconv.Itoa(p.number), "ETag", p.etag)
		}
	}
	return stored, nil
}

// checkComposite checks what S3 asks of the parts of a composite checksum: all
// bring theirs, and "the part numbers must use consecutive part numbers", where
// S3 answers with a 500 that clients would try again.
func (u *openUpload) checkComposite(i int, p namedPart) error {
	if p.checksum == "" {
		return errInvalidRequest(fmt.Sprintf("The upload was created using a %s checksum. The complete request must include the checksum for each part. "+
			"It was missing for part %d in the request.", u.algorithm.name, p.number))
	}
	if p.number != i+1 {
		return errInvalidRequest("The upload was created using a COMPOSITE checksum, so its parts must be numbered consecutively, beginning with 1.")
	}
	return nil
}

// become fills in what the object's bytes are known to be from those of its
// parts. It returns their number.
func (o *object) become(u *openUpload, parts []storedPart) (size int64) {
	etags := make([]string, len(parts))
	a := u.algorithm
	var whole []byte
	of, crc := a.new(), newPolynomials(a)
	for i, p := range parts {
		size += p.size
		etags[i] = p.etag
		switch {
		case u.composite:
			of.Write(p.sum)
		case i == 0:
			whole = p.sum
		default: // only CRCs can be of whole objects
			whole = crc.sum(crc.join(crc.number(whole), crc.number(p.sum), p.size))
		}
	}
	o.ETag = etagOfParts(etags)
	o.ChecksumType = ""
	o.keep(a, base64.StdEncoding.EncodeToString(whole))
	if u.composite {
		o.ChecksumType = composite
		o.keep(a, base64.StdEncoding.EncodeToString(of.Sum(nil))+"-"+strconv.Itoa(len(parts)))
	}
	return size
}

// copyPart appends a part to a draft.
func (b *bucket) copyPart(d *draft, u *openUpload, p *storedPart) error {
	f, o, err := openObject(filepath.Join(b.uploadDir(u.id), partName(p.number)), u.key)
	if err != nil {
		return fmt.Errorf("open part: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	if o.ETag != p.etag || o.Size != p.size {
		return fmt.Errorf("open part: part %d is another one", p.number)
	}
	return d.copyFile(f, p.size)
}

func (x *exchange) answerComplete(o *object) {
	x.writeExpiration(o)
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<CompleteMultipartUploadResult xmlns="` + xmlNamespace + `">`)
	element(&b, "Location", x.location())
	element(&b, "Bucket", x.name)
	element(&b, "Key", x.key)
	element(&b, "ETag", `"`+o.ETag+`"`)
	for name, sum := range o.Checksums {
		element(&b, "Checksum"+strings.ToUpper(name), sum)
		element(&b, "ChecksumType", o.checksumType())
	}
	b.WriteString("</CompleteMultipartUploadResult>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
}
