package s3d

import (
	"bytes"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// Multipart uploads.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html

const (
	checksumAlgorithmHeader = "x-amz-checksum-algorithm"
	checksumTypeHeader      = "x-amz-checksum-type"
)

func multipartOperations() []operation {
	const write, by = "s3:PutObject", "uploadId"
	return []operation{
		{
			// Its tags are judged, too, so it asks for itself.
			name: "CreateMultipartUpload", method: http.MethodPost, level: onObject, by: "uploads",
			headers: []string{metaPrefix, taggingHeader, "x-amz-storage-class", checksumAlgorithmHeader, checksumTypeHeader},
			run:     (*exchange).createUpload,
		},
		{
			name: "UploadPart", method: http.MethodPut, level: onObject, by: by, action: write,
			query: []string{"partNumber"}, headers: checksumHeaders(), run: (*exchange).uploadPart,
		},
		{
			name: "ListParts", method: http.MethodGet, level: onObject, by: by, action: "s3:ListMultipartUploadParts",
			query: []string{"part-number-marker", "max-parts"}, run: (*exchange).listParts,
		},
		{
			name: "CompleteMultipartUpload", method: http.MethodPost, level: onObject, by: by, action: write,
			headers: checksumHeaders(objectSizeHeader), run: (*exchange).completeUpload,
		},
		{
			name: "AbortMultipartUpload", method: http.MethodDelete, level: onObject, by: by,
			action: "s3:AbortMultipartUpload", run: (*exchange).abortUpload,
		},
		{
			name: "ListMultipartUploads", method: http.MethodGet, level: onBucket, by: "uploads", action: "s3:ListBucketMultipartUploads",
			query: []string{"prefix", "delimiter", "key-marker", "upload-id-marker", "max-uploads", "encoding-type"},
			run:   (*exchange).listUploads,
		},
	}
}

func errNoUpload(id string) error {
	return fault(http.StatusNotFound, "NoSuchUpload",
		"The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.", "UploadId", id)
}

// upload returns the one that the request names.
func (x *exchange) upload() (*openUpload, error) {
	u, err := x.bucket.findUpload(x.key, x.query["uploadId"])
	if err == nil && u == nil {
		err = errNoUpload(x.query["uploadId"])
	}
	return u, err
}

// createUpload answers CreateMultipartUpload.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
func (x *exchange) createUpload() error {
	tags, bad := parseTagQuery(x.header(taggingHeader))
	// What allowWrite is for whole objects; this one creates none yet.
	more := make(map[string][]string)
	addTagConditions(more, "s3:requestobjecttag", tags)
	if err := x.allowIn(x.bucket, x.name, "s3:PutObject", x.key, more); err != nil {
		return err
	}
	if len(tags) > 0 {
		if err := x.allowIn(x.bucket, x.name, "s3:PutObjectTagging", x.key, more); err != nil {
			return err
		}
	}
	if bad != nil {
		return bad
	}
	if err := x.noBody(); err != nil {
		return err
	}
	o, err := describe(x.key, x.header, x.headerNames())
	if err != nil {
		return err
	}
	if err := storageClass(x.header("x-amz-storage-class")); err != nil {
		return err
	}
	a, kind, err := uploadChecksum(x.header(checksumAlgorithmHeader), x.header(checksumTypeHeader))
	if err != nil {
		return err
	}
	o.Tags = tags
	if a != nil {
		o.Checksums = map[string]string{a.name: ""}
	}
	if kind == composite {
		o.ChecksumType = composite
	}
	now := x.s.now()
	o.Modified = now.UnixMilli()
	u, err := x.bucket.beginUpload(uploadID(now, x.s.randomBytes(32)), o)
	if err != nil {
		return err
	}
	h := x.w.Header()
	if u.asked {
		h[checksumAlgorithmHeader] = []string{u.algorithm.upper()}
		h[checksumTypeHeader] = []string{u.checksumType()}
	}
	x.writeAbort(u.key, u.began())
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<InitiateMultipartUploadResult xmlns="` + xmlNamespace + `">`)
	element(&b, "Bucket", x.name)
	element(&b, "Key", x.key)
	element(&b, "UploadId", u.id)
	b.WriteString("</InitiateMultipartUploadResult>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
	return nil
}

// uploadChecksum reads which checksum an upload is to have: nil is S3's default,
// CRC64NVME of the whole object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
func uploadChecksum(name, kind string) (*algorithm, string, error) {
	if name == "" {
		if kind != "" {
			return nil, "", errInvalidRequest("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return nil, fullObject, nil
	}
	a := findAlgorithm(name)
	if a == nil {
		return nil, "", errUnknownAlgorithm()
	}
	switch {
	case kind == "" && a.composite: // the default where both are possible
		return a, composite, nil
	case kind == "":
		return a, fullObject, nil
	case kind != composite && kind != fullObject:
		return nil, "", errInvalidRequest("Value for x-amz-checksum-type header is invalid.")
	case kind == composite && !a.composite, kind == fullObject && !a.full:
		return nil, "", errInvalidRequest("The " + kind + " checksum type cannot be used with the " + a.name + " checksum algorithm.")
	}
	return a, kind, nil
}

// abortUpload answers AbortMultipartUpload.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
func (x *exchange) abortUpload() error {
	u, err := x.upload()
	if err != nil {
		return err
	}
	ended, err := x.bucket.abort(u)
	if err != nil {
		return err
	}
	if !ended {
		return errNoUpload(u.id)
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}

// count reads a number of a query, up to most; without one it is most.
func (x *exchange) count(name string, most int) (int, error) {
	v, ok := x.query[name]
	if !ok {
		return most, nil
	}
	n, err := strconv.ParseInt(v, 10, 32)
	if err != nil || n < 0 {
		return 0, fault(http.StatusBadRequest, "InvalidArgument",
			"Provided "+name+" not an integer or within integer range", "ArgumentName", name, "ArgumentValue", v)
	}
	return int(min(n, int64(most))), nil
}

// listUploads answers ListMultipartUploads.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
func (x *exchange) listUploads() error {
	q := x.query
	for _, name := range []string{"prefix", "delimiter", "key-marker", "upload-id-marker"} {
		if !utf8.ValidString(q[name]) {
			return errArgument("A listing's parameter is not UTF-8.", name)
		}
	}
	l, err := x.listing(q["key-marker"])
	if err != nil {
		return err
	}
	if l.span.limit, err = x.count("max-uploads", maxPage); err != nil {
		return err
	}
	// "If key-marker is not specified, the upload-id-marker parameter is ignored."
	behind := q["upload-id-marker"]
	if q["key-marker"] == "" {
		behind = ""
	}
	if behind != "" && !isUploadID(behind) {
		return errArgument("Invalid uploadId marker", "upload-id-marker")
	}
	var p uploadPage
	if l.span.limit > 0 {
		if p, err = x.bucket.listUploads(l.span, behind); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	l.writeUploads(&b, x.name, behind, p)
	x.answer(http.StatusOK, xmlType, b.Bytes())
	return nil
}

func (l *listing) writeUploads(b *bytes.Buffer, bucket, behind string, p uploadPage) {
	b.Grow(768 * (len(p.items) + 1))
	b.WriteString(xmlHeader + `<ListMultipartUploadsResult xmlns="` + xmlNamespace + `">`)
	element(b, "Bucket", bucket)
	element(b, "KeyMarker", l.encode(l.query["key-marker"]))
	element(b, "UploadIdMarker", behind)
	if p.more {
		key, id := "", ""
		if last := p.items[len(p.items)-1]; last.upload != nil {
			key, id = last.upload.key, last.upload.id
		} else {
			key = last.prefix
		}
		element(b, "NextKeyMarker", l.encode(key))
		element(b, "NextUploadIdMarker", id)
	}
	element(b, "Prefix", l.encode(l.span.prefix))
	if l.span.delimiter != "" {
		element(b, "Delimiter", l.encode(l.span.delimiter))
	}
	if v := l.query["encoding-type"]; v != "" {
		element(b, "EncodingType", v)
	}
	element(b, "MaxUploads", strconv.Itoa(l.span.limit))
	element(b, "IsTruncated", strconv.FormatBool(p.more))
	for _, it := range p.items {
		u := it.upload
		if u == nil {
			continue
		}
		b.WriteString("<Upload>")
		element(b, "Key", l.encode(u.key))
		element(b, "UploadId", u.id)
		writeInitiator(b)
		element(b, "StorageClass", "STANDARD")
		element(b, "Initiated", u.began().Format(timeFormat))
		element(b, "ChecksumAlgorithm", u.algorithm.upper())
		element(b, "ChecksumType", u.checksumType())
		b.WriteString("</Upload>")
	}
	for _, it := range p.items {
		if it.upload == nil {
			b.WriteString("<CommonPrefixes>")
			element(b, "Prefix", l.encode(it.prefix))
			b.WriteString("</CommonPrefixes>")
		}
	}
	b.WriteString("</ListMultipartUploadsResult>")
}

// writeInitiator writes whose an upload is: everything is the account's.
func writeInitiator(b *bytes.Buffer) {
	b.WriteString("<Initiator>")
	element(b, "ID", ownerID)
	b.WriteString("</Initiator>")
	writeOwner(b)
}

// location is the URL of the exchange's object.
func (x *exchange) location() string {
	scheme := "http"
	if x.r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + x.r.Host + "/" + x.name + "/" + escapeKey(x.key, false)
}
