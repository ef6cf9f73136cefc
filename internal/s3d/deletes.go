package s3d

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"sync"

	"postern.example/postern/sigv4"
)

// DeleteObjects.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html

const (
	// maxDeletes: "the request can contain a list of up to 1,000 keys".
	maxDeletes = 1000
	// maxDeleteDocument holds as many of the longest keys, and their markup.
	maxDeleteDocument = 2 << 20
	// deleteSyncs bounds how many folders of a request are synced at once.
	deleteSyncs = 8
)

// deletion is one object of a DeleteObjects request.
type deletion struct {
	key, etag string
	version   string
	lacking   string // an element that we do not know
	// fault is why it was not deleted; nil: it is gone.
	fault *sigv4.Error
}

// parseDeletes reads a Delete document.
func parseDeletes(doc []byte) (all []deletion, quiet bool, err error) {
	var d struct {
		XMLName xml.Name `xml:"Delete"`
		Quiet   []string
		Objects []struct {
			Key, ETag []string
			Versions  []string `xml:"VersionId"`
			unknownElements
		} `xml:"Object"`
		unknownElements
	}
	if err := decodeXML(doc, &d); err != nil {
		return nil, false, err
	}
	if len(d.Others) > 0 || len(d.Quiet) > 1 || len(d.Objects) == 0 || len(d.Objects) > maxDeletes {
		return nil, false, errMalformedXML()
	}
	if len(d.Quiet) == 1 {
		switch d.Quiet[0] {
		case "true":
			quiet = true
		case "false":
		default:
			return nil, false, errMalformedXML()
		}
	}
	first := func(s []string) string {
		if len(s) == 0 {
			return ""
		}
		return s[0]
	}
	all = make([]deletion, len(d.Objects))
	for i, o := range d.Objects {
		if len(o.Key) != 1 || o.Key[0] == "" || len(o.Versions) > 1 || len(o.ETag) > 1 {
			return nil, false, errMalformedXML()
		}
		all[i] = deletion{key: o.Key[0], version: first(o.Versions), etag: first(o.ETag)}
		if len(o.Others) > 0 {
			all[i].lacking = o.Others[0].XMLName.Local
		}
	}
	return all, quiet, nil
}

func (x *exchange) deleteObjects() error {
	if x.stranger() {
		return errDenied("Access Denied")
	}
	if !x.checked() {
		return errUnchecked()
	}
	doc, err := x.document(maxDeleteDocument)
	if err != nil {
		return err
	}
	all, quiet, err := parseDeletes(doc)
	if err != nil {
		return err
	}
	shards := make(map[byte][]*deletion)
	for i := range all {
		d := &all[i]
		if err := x.deleteOne(d); err != nil {
			d.fault = x.known(x.r.Context(), err)
			continue
		}
		shard, _ := x.bucket.path(d.key)
		shards[shard] = append(shards[shard], d)
	}
	x.syncDeleted(shards)

	var b bytes.Buffer
	b.WriteString(xmlHeader + `<DeleteResult xmlns="` + xmlNamespace + `">`)
	for _, d := range all {
		switch {
		case d.fault != nil:
			b.WriteString("<Error>")
			element(&b, "Key", d.key)
			if d.version != "" {
				element(&b, "VersionId", d.version)
			}
			element(&b, "Code", d.fault.Code)
			element(&b, "Message", d.fault.Message)
			b.WriteString("</Error>")
		case !quiet:
			b.WriteString("<Deleted>")
			element(&b, "Key", d.key)
			b.WriteString("</Deleted>")
		}
	}
	b.WriteString("</DeleteResult>")
	x.answer(http.StatusOK, xmlType, b.Bytes())
	return nil
}

// deleteOne removes an object from its folder, which is not synced yet.
func (x *exchange) deleteOne(d *deletion) error {
	if err := checkKey(d.key); err != nil {
		return err
	}
	var more map[string][]string
	if d.etag != "" { // what If-Match is elsewhere
		more = map[string][]string{"s3:if-match": {d.etag}}
	}
	if err := x.allowIn(x.bucket, x.name, "s3:DeleteObject", d.key, more); err != nil {
		return err
	}
	switch {
	case d.version != "":
		// There are no versions here. To delete the one object there is would
		// be to delete another than the one named.
		return errLacking("VersionId", "VersionId")
	case d.lacking != "":
		// LastModifiedTime and Size are conditions of directory buckets. To
		// delete in spite of one would be worse than not to delete.
		return errLacking("The element "+d.lacking, d.lacking)
	}
	p, err := x.deleteCondition(d.key, d.etag)
	if err != nil {
		return err
	}
	shard, path := x.bucket.path(d.key)
	return x.bucket.unlink(d.key, shard, path, p)
}

// syncDeleted makes what was removed durable: each folder once, however many of
// its files are gone.
func (x *exchange) syncDeleted(shards map[byte][]*deletion) {
	var all sync.WaitGroup
	turns := make(chan struct{}, deleteSyncs)
	for shard, deleted := range shards {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			err := x.bucket.disk.syncDir(shardDir(x.bucket.index.objects, shard))
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				return
			}
			err = fmt.Errorf("delete objects in %s: %w", filepath.Base(shardDir("", shard)), err)
			for _, d := range deleted {
				d.fault = x.known(x.r.Context(), err)
			}
		})
	}
	all.Wait()
}
