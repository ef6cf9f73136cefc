package s3d

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"postern.example/postern/sigv4"
)

// POST Object: an HTML form that writes one object.
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
//
// Checks come in S3's order: content type, required fields, anonymous,
// signature, policy's shape, expiration and conditions, size. Nothing is
// written before all but the last have passed.

// fileField is the part that holds the file, whatever else has a filename.
const fileField = "file"

// upload is a form up to the first byte of its file.
type upload struct {
	form    *form
	fields  sigv4.Form // by lower-case name
	file    part
	hasFile bool
}

func (x *exchange) postObject() error {
	boundary, err := formBoundary(x.r.Header)
	if err != nil {
		return err
	}
	if err := x.length(); err != nil {
		return err
	}
	if len(x.r.Header.Values("Authorization")) > 0 {
		return errArgument("Only one auth mechanism allowed", "Authorization")
	}
	buf := x.s.buffers.Get().(*[bufferSize]byte)
	defer x.s.buffers.Put(buf)
	u := &upload{form: newForm(&x.body, boundary, buf[:])}
	if err := u.readFields(); err != nil {
		return err
	}
	policy, err := x.judge(u)
	if err != nil {
		return err
	}
	object, want, err := u.describe()
	if err != nil {
		return err
	}
	if x.bucket, err = x.s.bucket(x.name); err != nil {
		return err
	}
	if err := x.allowPost(u.fields, object); err != nil {
		return err
	}
	if _, has := u.fields["policy"]; has && x.caller.anonymous() {
		// Everybody may write here, but this form was meant to be held to a
		// policy, which nobody signed: not to be taken as if it had none.
		return errArgument("Bucket POST must contain a field named 'X-Amz-Algorithm'.  If it is specified, please check the order of the fields.", "X-Amz-Algorithm")
	}
	if err := x.receiveFile(u, policy, object, want); err != nil {
		return err
	}
	x.answerPost(u.fields, object)
	return nil
}

// readFields reads the form up to its file.
func (u *upload) readFields() error {
	u.fields = make(sigv4.Form)
	for {
		p, err := u.form.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return readFault(err)
		}
		if p.name == fileField {
			u.file, u.hasFile = p, true
			return nil
		}
		v, err := u.form.value()
		if err != nil {
			return readFault(err)
		}
		if _, twice := u.fields[p.name]; twice {
			// What S3 does with them is not on record and servers differ, so a
			// form that has them means different things to different readers.
			return errArgument("POST requires exactly one field of each name.", p.name)
		}
		u.fields[p.name] = v
	}
}

// judge checks who signed the form and whether its policy allows it.
func (x *exchange) judge(u *upload) (*sigv4.Policy, error) {
	if _, ok := u.fields["key"]; !ok {
		return nil, errArgument("Bucket POST must contain a field named 'key'.  "+
			"If it is specified, please check the order of the fields.", "key")
	}
	if !u.hasFile {
		return nil, errArgument("POST requires exactly one file upload per request.", fileField)
	}
	id, doc, err := x.s.verifier.Post(u.fields)
	policy := new(sigv4.Policy)
	switch {
	case errors.Is(err, sigv4.ErrAnonymous):
		// Nobody signed it, so it has no policy. Whether everybody may write
		// here is up to the bucket's policy, which is asked below.
		x.caller = anonymous()
	case err != nil:
		return nil, err
	default:
		x.caller = x.s.callerOf(id)
		if policy, err = sigv4.ParsePolicy(doc); err != nil {
			return nil, err
		}
	}
	if err := u.expand(); err != nil {
		return nil, err
	}
	if b, ok := u.fields["bucket"]; ok && b != x.name {
		return nil, fault(http.StatusForbidden, "AccessDenied", "Invalid according to Policy: the field 'bucket' names another bucket.")
	}
	if id == "" {
		return policy, nil
	}
	return policy, policy.Evaluate(u.fields, x.name, x.s.now())
}

// expand puts the file's name for ${filename} in all fields. Without a filename
// parameter the text stays as it is; of a path the last element is taken.
func (u *upload) expand() error {
	const variable = "${filename}"
	if !u.file.hasFilename {
		return nil
	}
	name := u.file.filename[strings.LastIndexAny(u.file.filename, `/\`)+1:]
	total := 0
	for field, v := range u.fields {
		// A short form must not become a long one.
		if total += strings.Count(v, variable) * len(name); total > maxPreFile {
			return readFault(errPreFile)
		}
		u.fields[field] = strings.ReplaceAll(v, variable, name)
	}
	return nil
}

// describe makes an object of the fields, and refuses those that ask for
// something we lack. Fields that are not S3's are for the page that sent them:
// they need a condition, and are not kept.
func (u *upload) describe() (*object, digests, error) {
	names := slices.Sorted(maps.Keys(u.fields))
	for _, name := range names {
		switch {
		case name == "acl", name == "x-amz-acl", strings.HasPrefix(name, "x-amz-grant-"):
			if err := checkACL(name, u.fields[name], true); err != nil {
				return nil, digests{}, err
			}
		case strings.HasPrefix(name, customerKey):
			return nil, digests{}, errCustomerKey(true)
		case name == "x-amz-storage-class":
			if err := storageClass(u.fields[name]); err != nil {
				return nil, digests{}, err
			}
		case !strings.HasPrefix(name, "x-amz-"), authParameter(name),
			strings.HasPrefix(name, metaPrefix), strings.HasPrefix(name, "x-amz-checksum-"):
		default:
			return nil, digests{}, errNotImplemented(name)
		}
	}
	get := func(name string) string { return u.fields[strings.ToLower(name)] }
	key := u.fields["key"]
	if key == "" {
		return nil, digests{}, errArgument("User key must have a length greater than 0.", "key")
	}
	if err := checkKey(key); err != nil {
		return nil, digests{}, err
	}
	want, err := wanted(get, names, "")
	if err == nil && get("x-amz-checksum-algorithm") != "" && want.value == nil {
		err = errInvalidRequest("x-amz-checksum-algorithm specified, but no corresponding x-amz-checksum-* field was found.")
	}
	if err != nil {
		return nil, digests{}, err
	}
	o, err := describe(key, get, names)
	if doc, ok := u.fields["tagging"]; ok && err == nil {
		o.Tags, err = parseTagField(doc)
	}
	return o, want, err
}

// receiveFile streams the file into an object.
func (x *exchange) receiveFile(u *upload, policy *sigv4.Policy, o *object, want digests) error {
	limit := int64(maxPut)
	if _, most, ok := policy.SizeRange(); ok {
		limit = min(limit, most)
	}
	tooLarge := func(size int64) error {
		if size <= maxPut {
			if err := policy.CheckSize(size); err != nil {
				return err
			}
		}
		return errTooLarge(size, maxPut)
	}
	// What the file has if the form ends behind it, as forms of browsers do.
	// Whatever else may stand there is no more than may stand before it.
	proposed := x.r.ContentLength - u.form.taken - int64(len(u.form.delim)+len("--\r\n"))
	if proposed-maxPreFile > limit {
		return tooLarge(proposed)
	}
	if want.algorithm == nil {
		want.algorithm = findAlgorithm(defaultChecksum)
	}
	d, err := x.bucket.newDraft(want)
	if err != nil {
		return err
	}
	defer d.discard()
	for {
		b, err := u.form.chunk()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return readFault(err)
		}
		if d.size+int64(len(b)) > limit {
			return tooLarge(max(proposed, d.size+int64(len(b))))
		}
		if _, err := d.Write(b); err != nil {
			return err
		}
	}
	if err := policy.CheckSize(d.size); err != nil {
		return err
	}
	sum, err := want.check(d.sums)
	if err != nil {
		return err
	}
	o.keep(want.algorithm, sum)
	// "If-None-Match" means nothing to POST: S3 lists it for PutObject,
	// CompleteMultipartUpload and CopyObject alone.
	return x.commit(d, o, precondition{})
}

// commit makes a draft the object and counts it.
func (x *exchange) commit(d *draft, o *object, p precondition) error {
	o.Modified = x.s.now().UnixMilli()
	err := x.bucket.commit(d, o, p)
	if err == nil {
		x.s.stats.written.Add(1)
	}
	return err
}

// answerPost answers a form as its fields want it: a redirect, or 200, 201 or
// 204, which is also what any other status becomes.
func (x *exchange) answerPost(fields sigv4.Form, o *object) {
	h := x.w.Header()
	etag := `"` + o.ETag + `"`
	h["ETag"] = []string{etag}
	x.writeExpiration(o)
	redirect := fields["success_action_redirect"]
	if redirect == "" {
		redirect = fields["redirect"] // deprecated, still taken
	}
	if to := redirectURL(redirect, x.name, o.Key, etag); to != "" {
		h.Set("Location", to)
		x.answer(http.StatusSeeOther, "", nil)
		return
	}
	scheme := "http"
	if x.r.TLS != nil {
		scheme = "https"
	}
	location := scheme + "://" + x.r.Host + "/" + x.name + "/" + escapeKey(o.Key, false)
	h.Set("Location", location)
	switch fields["success_action_status"] {
	case strconv.Itoa(http.StatusOK):
		x.answer(http.StatusOK, "", nil)
	case strconv.Itoa(http.StatusCreated):
		var b bytes.Buffer
		b.WriteString(xmlHeader + "<PostResponse>") // without a namespace, as S3's
		element(&b, "Location", location)
		element(&b, "Bucket", x.name)
		element(&b, "Key", o.Key)
		element(&b, "ETag", etag)
		b.WriteString("</PostResponse>")
		x.answer(http.StatusCreated, xmlType, b.Bytes())
	default:
		x.answer(http.StatusNoContent, "", nil)
	}
}

// redirectURL returns where to send the browser, or "" for a text that is no
// absolute web address, which is taken as absent.
func redirectURL(to, bucket, key, etag string) string {
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !isText(to) {
		return ""
	}
	q := "bucket=" + url.QueryEscape(bucket) + "&key=" + url.QueryEscape(key) + "&etag=" + url.QueryEscape(etag)
	if u.RawQuery != "" {
		q = u.RawQuery + "&" + q
	}
	u.RawQuery = q
	return u.String()
}
