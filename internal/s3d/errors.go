package s3d

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"postern.example/postern/sigv4"
)

// ErrInUse is the error of New when another Server has the folder open.
var ErrInUse = errors.New("the folder is in use by another server")

// Faults are *sigv4.Error: what S3 answers, as code, status, message and
// further XML elements. Messages are S3's own where they are on record. They
// never hold a signature, a policy or a token.

func fault(status int, code, message string, extra ...string) *sigv4.Error {
	e := &sigv4.Error{Code: code, Status: status, Message: message}
	for i := 0; i+1 < len(extra); i += 2 {
		if e.Extra == nil {
			e.Extra = make(map[string]string)
		}
		e.Extra[extra[i]] = extra[i+1]
	}
	return e
}

// errNotImplemented names a header, field or query parameter that we lack.
func errNotImplemented(name string) error {
	return fault(http.StatusNotImplemented, "NotImplemented",
		"A header you provided implies functionality that is not implemented", "Header", name)
}

// errNoOperation answers an operation that we lack.
func errNoOperation() error {
	return fault(http.StatusNotImplemented, "NotImplemented", "This operation is not implemented by this server.")
}

func errMethod(method string) error {
	return fault(http.StatusMethodNotAllowed, "MethodNotAllowed",
		"The specified method is not allowed against this resource.", "Method", method)
}

func errArgument(message, name string) error {
	return fault(http.StatusBadRequest, "InvalidArgument", message, "ArgumentName", name)
}

func errInvalidRequest(message string) error {
	return fault(http.StatusBadRequest, "InvalidRequest", message)
}

func errNoBucket(name string) error {
	return fault(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist", "BucketName", name)
}

func errNoKey(key string) error {
	return fault(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.", "Key", key)
}

func errPrecondition(condition string) error {
	return fault(http.StatusPreconditionFailed, "PreconditionFailed",
		"At least one of the pre-conditions you specified did not hold", "Condition", condition)
}

func errMalformedXML() error {
	return fault(http.StatusBadRequest, "MalformedXML",
		"The XML you provided was not well-formed or did not validate against our published schema")
}

func errMalformedPOST() error {
	return fault(http.StatusBadRequest, "MalformedPOSTRequest",
		"The body of your POST request is not well-formed multipart/form-data.")
}

func errNoACL() error {
	return fault(http.StatusBadRequest, "AccessControlListNotSupported", "The bucket does not allow ACLs")
}

func errTooLarge(size, limit int64) error {
	return fault(http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size",
		"ProposedSize", strconv.FormatInt(size, 10), "MaxSizeAllowed", strconv.FormatInt(limit, 10))
}

func errInternal() *sigv4.Error {
	return fault(http.StatusInternalServerError, "InternalError", "We encountered an internal error. Please try again.")
}

// errIncomplete is the error of a body that ends before its Content-Length.
func errIncomplete() error {
	return fault(http.StatusBadRequest, "IncompleteBody",
		"You did not provide the number of bytes specified by the Content-Length HTTP header")
}

// errorXML is the body of an error's answer.
func errorXML(e *sigv4.Error, resource, requestID string) []byte {
	// An error must be readable, also when it speaks of a key that XML 1.0
	// cannot hold.
	readable := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
				return utf8.RuneError
			}
			return r
		}, s)
	}
	var b bytes.Buffer
	b.WriteString(xmlHeader + "<Error>")
	element(&b, "Code", e.Code)
	element(&b, "Message", readable(e.Message))
	for _, name := range slices.Sorted(maps.Keys(e.Extra)) {
		element(&b, name, readable(e.Extra[name]))
	}
	element(&b, "Resource", readable(resource))
	element(&b, "RequestId", requestID)
	b.WriteString("</Error>")
	return b.Bytes()
}

const xmlHeader = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"

// element writes one XML element. Control characters, which XML 1.0 cannot
// hold, are written as references, as S3 does: lists stay true to their keys.
func element(b *bytes.Buffer, name, text string) {
	b.WriteByte('<')
	b.WriteString(name)
	b.WriteByte('>')
	for _, r := range text {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r < ' ' || r == 0xfffe || r == 0xffff:
			fmt.Fprintf(b, "&#x%x;", r)
		default:
			b.WriteRune(r) // an invalid byte comes as U+FFFD
		}
	}
	b.WriteString("</")
	b.WriteString(name)
	b.WriteByte('>')
}
