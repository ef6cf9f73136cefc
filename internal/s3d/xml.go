package s3d

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
)

// The XML documents that requests bring. The decoder makes a value of each
// element and copies each tag, whatever becomes of them: a document of 2 MB that
// is nothing but tags cost 50 MB. So both are counted first.
const (
	// maxMarkup counts tags: 10,000 parts have four elements each, of two tags.
	maxMarkup = 100_000
	// maxTag is far more than any of S3's tags with its namespaces.
	maxTag = 4 << 10
)

// decodeXML decodes one whole document. Its error is MalformedXML.
func decodeXML(doc []byte, into any) error {
	if !boundedXML(doc) {
		return errMalformedXML()
	}
	d := xml.NewDecoder(bytes.NewReader(doc))
	if err := d.Decode(into); err != nil {
		return errMalformedXML()
	}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if text, ok := t.(xml.CharData); err != nil || ok && len(bytes.TrimSpace(text)) > 0 {
			return errMalformedXML()
		}
		if _, ok := t.(xml.StartElement); ok {
			return errMalformedXML()
		}
	}
}

// boundedXML reports whether a document has no more tags, and no longer ones,
// than any of S3's needs.
func boundedXML(doc []byte) bool {
	for tags := 0; ; tags++ {
		start := bytes.IndexByte(doc, '<')
		if start < 0 {
			return true
		}
		doc = doc[start:]
		end := bytes.IndexByte(doc, '>')
		if end < 0 {
			end = len(doc)
		}
		if tags == maxMarkup || end > maxTag {
			return false
		}
		doc = doc[min(end+1, len(doc)):]
	}
}

// unknownElements collects the elements that a document's type does not name.
type unknownElements struct {
	Others []struct {
		XMLName xml.Name
	} `xml:",any"`
}
