package s3d

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func bucketOperations() []operation {
	return []operation{
		{
			name: "ListBuckets", method: http.MethodGet, level: onService, action: "s3:ListAllMyBuckets",
			query: []string{"prefix", "max-buckets", "continuation-token", "bucket-region"}, run: (*exchange).listBuckets,
		},
		{
			name: "CreateBucket", method: http.MethodPut, level: onBucket,
			headers: checksumHeaders("x-amz-object-ownership", "x-amz-bucket-object-lock-enabled", "x-amz-acl", "x-amz-grant-"),
			run:     (*exchange).createBucket,
		},
		{name: "HeadBucket", method: http.MethodHead, level: onBucket, action: "s3:ListBucket", run: (*exchange).headBucket},
		{name: "DeleteBucket", method: http.MethodDelete, level: onBucket, action: "s3:DeleteBucket", run: (*exchange).deleteBucket},
		{name: "GetBucketLocation", method: http.MethodGet, level: onBucket, by: "location", action: "s3:GetBucketLocation", run: (*exchange).getLocation},
		{
			name: "ListObjectsV2", method: http.MethodGet, level: onBucket, by: "list-type", action: "s3:ListBucket",
			query: listQuery(), run: (*exchange).listObjects,
		},
	}
}

func settingOperations() []operation {
	return []operation{
		{name: "GetBucketCors", method: http.MethodGet, level: onBucket, by: "cors", action: "s3:GetBucketCORS", run: (*exchange).getCORS},
		{
			name: "PutBucketCors", method: http.MethodPut, level: onBucket, by: "cors", action: "s3:PutBucketCORS",
			headers: checksumHeaders(), run: (*exchange).putCORS,
		},
		{name: "DeleteBucketCors", method: http.MethodDelete, level: onBucket, by: "cors", action: "s3:PutBucketCORS", run: (*exchange).deleteCORS},
		{name: "GetBucketPolicy", method: http.MethodGet, level: onBucket, by: "policy", action: "s3:GetBucketPolicy", run: (*exchange).getPolicy},
		{
			name: "PutBucketPolicy", method: http.MethodPut, level: onBucket, by: "policy", action: "s3:PutBucketPolicy",
			headers: checksumHeaders("x-amz-confirm-remove-self-bucket-access"), run: (*exchange).putPolicy,
		},
		{name: "DeleteBucketPolicy", method: http.MethodDelete, level: onBucket, by: "policy", action: "s3:DeleteBucketPolicy", run: (*exchange).deletePolicy},
		{name: "GetBucketPolicyStatus", method: http.MethodGet, level: onBucket, by: "policyStatus", action: "s3:GetBucketPolicyStatus", run: (*exchange).getPolicyStatus},
		{
			name: "GetPublicAccessBlock", method: http.MethodGet, level: onBucket, by: "publicAccessBlock",
			action: "s3:GetBucketPublicAccessBlock", run: (*exchange).getPublicAccess,
		},
		{
			name: "PutPublicAccessBlock", method: http.MethodPut, level: onBucket, by: "publicAccessBlock",
			action: "s3:PutBucketPublicAccessBlock", headers: checksumHeaders(), run: (*exchange).putPublicAccess,
		},
		{
			name: "DeletePublicAccessBlock", method: http.MethodDelete, level: onBucket, by: "publicAccessBlock",
			action: "s3:PutBucketPublicAccessBlock", run: (*exchange).deletePublicAccess,
		},
	}
}

// usRegion is the region whose buckets have no location of their own.
const usRegion = "us-east-1"

// headBucket tells that there is such a bucket.
func (x *exchange) headBucket() error {
	x.w.Header()["x-amz-bucket-region"] = []string{x.s.region}
	x.answer(http.StatusOK, "", nil)
	return nil
}

// getLocation: "Buckets in Region us-east-1 have a LocationConstraint of null."
func (x *exchange) getLocation() error {
	location := x.s.region
	if location == usRegion {
		location = ""
	}
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<LocationConstraint xmlns="` + xmlNamespace + `">` + location + "</LocationConstraint>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
	return nil
}

// bucketNames returns the names of all buckets, sorted.
func (s *Server) bucketNames() ([]string, error) {
	all, err := readNames(s.dir)
	if err != nil {
		return nil, err
	}
	names := all[:0]
	for _, name := range all {
		if checkBucketName(name) != nil {
			continue
		}
		if fi, err := os.Stat(filepath.Join(s.dir, name, objectsDir)); err == nil && fi.IsDir() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// maxBuckets: "Amazon S3 applies a default page size of 10,000".
const maxBuckets = 10_000

// listBuckets answers ListBuckets. What is listed is what the caller's policies
// allow him as a whole: S3 does not filter by bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
func (x *exchange) listBuckets() error {
	limit, prefix := maxBuckets, x.query["prefix"]
	if v, ok := x.query["max-buckets"]; ok {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxBuckets {
			return errArgument("Argument max-buckets must be an integer between 1 and 10000", "max-buckets")
		}
		limit = n
	}
	// "Requests made to a Regional endpoint that is different from the
	// bucket-region parameter are not supported."
	if v, ok := x.query["bucket-region"]; ok && v != x.s.region {
		return errArgument("Argument value "+v+" is not a valid AWS Region for this endpoint", "bucket-region")
	}
	after, err := base64.RawURLEncoding.DecodeString(x.query["continuation-token"])
	if err != nil || len(after) > 0 && checkBucketName(string(after)) != nil {
		return errArgument("The continuation token provided is incorrect", "continuation-token")
	}
	names, err := x.s.bucketNames()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(xmlHeader + `<ListAllMyBucketsResult xmlns="` + xmlNamespace + `">`)
	writeOwner(&b)
	b.WriteString("<Buckets>")
	listed, more := "", false
	for _, name := range names {
		if name <= string(after) || !strings.HasPrefix(name, prefix) {
			continue
		}
		if limit == 0 {
			more = true
			break
		}
		made, err := readCreated(filepath.Join(x.s.dir, name))
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			continue
		}
		if err != nil {
			return err
		}
		b.WriteString("<Bucket>")
		element(&b, "Name", name)
		element(&b, "CreationDate", made.Format(timeFormat))
		element(&b, "BucketRegion", x.s.region)
		b.WriteString("</Bucket>")
		listed = name
		limit--
	}
	b.WriteString("</Buckets>")
	if prefix != "" {
		element(&b, "Prefix", prefix)
	}
	if more {
		element(&b, "ContinuationToken", base64.RawURLEncoding.EncodeToString([]byte(listed)))
	}
	b.WriteString("</ListAllMyBucketsResult>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
	return nil
}

// createBucket makes a bucket. In us-east-1 S3 answers 200 for one of your own.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
func (x *exchange) createBucket() error {
	if x.caller.anonymous() { // "anonymous requests are never allowed to create buckets"
		return errDenied("Access Denied")
	}
	if err := x.checkNewBucket(); err != nil {
		return err
	}
	doc, err := x.document(maxSettings)
	if err != nil {
		return err
	}
	location, err := x.checkLocation(doc)
	if err != nil {
		return err
	}
	more := map[string][]string{"s3:locationconstraint": {location}}
	if location == "" {
		more = nil
	}
	if err := x.allowIn(nil, x.name, "s3:CreateBucket", "", more); err != nil {
		return err
	}
	made, err := x.s.create(x.name)
	if err != nil {
		return err
	}
	if !made && x.s.region != usRegion {
		return fault(http.StatusConflict, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it.", "BucketName", x.name)
	}
	x.w.Header().Set("Location", "/"+x.name)
	x.answer(http.StatusOK, "", nil)
	return nil
}

// checkNewBucket reads the headers of CreateBucket. An ACL that says more than
// what holds for new buckets needs them to be made without BucketOwnerEnforced,
// which no bucket here is.
func (x *exchange) checkNewBucket() error {
	for _, name := range x.headerNames() {
		v := x.header(name)
		switch {
		case name == "x-amz-object-ownership":
			if err := checkOwnership(v, errArgument("Invalid x-amz-object-ownership header: "+v, name)); err != nil {
				return err
			}
		case name == "x-amz-bucket-object-lock-enabled" && !strings.EqualFold(v, "false"):
			return errNotImplemented(name)
		case name == "x-amz-acl" && v != "private", strings.HasPrefix(name, "x-amz-grant-"):
			return fault(http.StatusBadRequest, "InvalidBucketAclWithObjectOwnership",
				"Bucket cannot have ACLs set with ObjectOwnership's "+ownerEnforced+" setting")
		}
	}
	return nil
}

// checkLocation refuses to make a bucket anywhere but here. It returns what the
// document says of the place.
func (x *exchange) checkLocation(doc []byte) (string, error) {
	var c struct {
		XMLName  xml.Name `xml:"CreateBucketConfiguration"`
		Location []string `xml:"LocationConstraint"`
		unknownElements
	}
	if len(doc) > 0 {
		if err := decodeXML(doc, &c); err != nil {
			return "", err
		}
		if len(c.Others) > 0 {
			return "", errNotImplemented(c.Others[0].XMLName.Local)
		}
		if len(c.Location) > 1 {
			return "", errMalformedXML()
		}
	}
	here, location := x.s.region, strings.Join(c.Location, "")
	switch {
	case location == usRegion: // "If you don't specify a Region, the bucket is created in … us-east-1"
		return "", fault(http.StatusBadRequest, "InvalidLocationConstraint", "The specified location-constraint is not valid",
			"LocationConstraint", location)
	case here == usRegion && location == "", here != usRegion && location == here, here == "eu-west-1" && location == "EU":
		return location, nil
	case location == "":
		location = "unspecified"
	}
	return "", fault(http.StatusBadRequest, "IllegalLocationConstraintException",
		"The "+location+" location constraint is incompatible for the region specific endpoint this request was sent to.")
}

// create makes a bucket. It reports false when there is one already.
func (s *Server) create(name string) (bool, error) {
	if err := checkNewBucketName(name); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.newBucket(name)
	if err := b.open(); err == nil {
		return false, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := b.create(s.now()); err != nil {
		return false, err
	}
	s.buckets[name] = b
	return true, nil
}

// checkNewBucketName also refuses what S3 keeps for itself: "bucket names must
// not start with the prefix …", "must not end with the suffix …". A bucket that
// has such a name already stays.
func checkNewBucketName(name string) error {
	has := func(in func(string, string) bool) func(string) bool {
		return func(part string) bool { return in(name, part) }
	}
	if slices.ContainsFunc([]string{"xn--", "sthree-", "amzn-s3-demo-"}, has(strings.HasPrefix)) ||
		slices.ContainsFunc([]string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}, has(strings.HasSuffix)) {
		return errBucketName()
	}
	return checkBucketName(name)
}

func errBucketName() error {
	return fault(http.StatusBadRequest, "InvalidBucketName", "The specified bucket is not valid.")
}

// deletedPrefix begins the name of a bucket's folder once the bucket is deleted.
const deletedPrefix = ".deleted-"

// deleteBucket removes a bucket without objects. Unfinished uploads go with it:
// S3 asks for objects alone to be deleted before.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
func (x *exchange) deleteBucket() error {
	if err := x.s.remove(x.bucket); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}

// remove deletes a bucket: its folder is renamed, which is the moment, and is
// removed when nothing finds it any more. What a crash leaves of it is removed
// when the folder is opened again.
func (s *Server) remove(b *bucket) error {
	// Before anybody has to wait for it.
	if err := b.index.build(); err != nil {
		return err
	}
	to := filepath.Join(s.dir, deletedPrefix+s.randomName())
	if err := s.rename(b, to); err != nil {
		return err
	}
	if err := s.disk.syncDir(s.dir); err != nil {
		return err
	}
	return s.disk.removeTree(to)
}

func (s *Server) rename(b *bucket, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.life.Lock()
	defer b.life.Unlock()
	if b.gone {
		return errNoBucket(b.name)
	}
	p, err := b.index.list(span{limit: 1})
	if err != nil {
		return err
	}
	if len(p.items) > 0 {
		return fault(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty", "BucketName", b.name)
	}
	if err := s.disk.rename(b.dir, to); err != nil {
		return err
	}
	b.gone = true
	delete(s.buckets, b.name)
	return nil
}

// removeTree removes a folder and all that is in it.
func (d *disk) removeTree(path string) error {
	names, err := readNames(path)
	if err != nil {
		return err
	}
	for _, name := range names {
		in := filepath.Join(path, name)
		fi, err := os.Lstat(in)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err == nil && fi.IsDir():
			err = d.removeTree(in)
		case err == nil:
			err = d.remove(in)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if err := d.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
