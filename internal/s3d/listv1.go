package s3d

import (
	"bytes"
	"net/http"
)

// listObjectsV1 answers ListObjects, the older of the two, which starts behind
// a marker instead of a token and always tells owners.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html
func (x *exchange) listObjectsV1() error {
	l, err := x.listing(x.query["marker"])
	if err != nil {
		return err
	}
	l.owner = true
	p, err := l.page(x.bucket)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	l.begin(&b, x.name, len(p.items))
	element(&b, "Marker", l.encode(x.query["marker"]))
	// "This element is returned only if you have the delimiter request
	// parameter specified": otherwise the last key serves.
	if p.more && l.span.delimiter != "" {
		last := p.items[len(p.items)-1]
		next := last.prefix
		if last.entry != nil {
			next = last.entry.key
		}
		element(&b, "NextMarker", l.encode(next))
	}
	l.finish(&b, p)
	x.answer(http.StatusOK, xmlType, b.Bytes())
	return nil
}
