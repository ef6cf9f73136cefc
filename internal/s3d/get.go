package s3d

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// getObject sends an object, a range of it, or (HEAD) what there is to say.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func (x *exchange) getObject() error {
	var scratch []byte
	if x.r.Method == http.MethodGet { // a small object is read with its trailer, at once
		buf := x.s.buffers.Get().(*[bufferSize]byte)
		defer x.s.buffers.Put(buf)
		scratch = buf[:]
	}
	_, path := x.bucket.path(x.key)
	f, o, body, err := openWhole(path, x.key, scratch)
	if err != nil && !isNoObject(err) {
		return err
	}
	if f != nil {
		defer f.Close() //nolint:errcheck // it was only read
	}
	if err := x.allowTagged("s3:GetObject", o, nil); err != nil {
		return err
	}
	overrides, err := x.overrides()
	if err != nil {
		return err
	}
	if o == nil {
		return x.missing(x.key)
	}
	h := x.w.Header()
	if err := o.conditions(x.r.Header); err != nil {
		h["ETag"] = []string{`"` + o.ETag + `"`}
		h.Set("Last-Modified", o.modified().Format(http.TimeFormat))
		return err
	}
	status, start, length := http.StatusOK, int64(0), o.Size
	if spec := x.header("Range"); spec != "" && o.rangeApplies(x.header("If-Range")) {
		from, n, ok := parseRange(spec, o.Size)
		switch {
		case ok && n == 0:
			return fault(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable",
				"RangeRequested", spec, "ActualObjectSize", strconv.FormatInt(o.Size, 10))
		case ok:
			status, start, length = http.StatusPartialContent, from, n
			h.Set("Content-Range", "bytes "+strconv.FormatInt(from, 10)+"-"+strconv.FormatInt(from+n-1, 10)+"/"+strconv.FormatInt(o.Size, 10))
		}
	}
	o.writeTo(h, status == http.StatusOK && strings.EqualFold(x.header("x-amz-checksum-mode"), "ENABLED"))
	x.writeExpiration(o)
	for name, v := range overrides {
		h[name] = []string{v}
	}
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	if x.r.Method == http.MethodHead {
		x.w.WriteHeader(status)
		return nil
	}
	if body != nil {
		x.w.WriteHeader(status)
		_, err = x.w.Write(body[start : start+length])
	} else {
		if _, err := f.Seek(start, io.SeekStart); err != nil {
			return err
		}
		x.w.WriteHeader(status)
		// Straight from file to connection: the body is a plain piece of the file.
		_, err = io.CopyN(x.w, f, length)
	}
	if err != nil {
		x.s.log.LogAttrs(x.r.Context(), slog.LevelDebug, "answer broken off", x.attrs(slog.String("error", err.Error()))...)
	}
	return nil
}

// override is the query parameter that sets a header of the answer.
const override = "response-"

func overrideQuery() []string {
	all := []string{override + "content-type"}
	for _, name := range storedHeaders() {
		all = append(all, override+strings.ToLower(name))
	}
	return all
}

// overrides returns the headers that the query sets: "you must sign the
// request … these parameters cannot be used with an unsigned (anonymous)
// request". The headers that keep a browser from running the bytes stay.
func (x *exchange) overrides() (map[string]string, error) {
	if len(x.query) == 0 {
		return nil, nil //nolint:nilnil // no headers are fine
	}
	var all map[string]string
	for _, name := range overrideQuery() {
		v, ok := x.query[name]
		switch {
		case !ok:
			continue
		case x.caller.anonymous():
			return nil, errInvalidRequest("Request specific response headers cannot be used for anonymous GET requests.")
		case strings.ContainsFunc(v, func(r rune) bool { return r > '~' }):
			return nil, errArgument("Header value cannot be represented using ISO-8859-1.", name)
		case !isText(v):
			return nil, errArgument("A header's value holds characters that are not allowed.", name)
		case all == nil:
			all = make(map[string]string)
		}
		if v != "" {
			all[http.CanonicalHeaderKey(name[len(override):])] = v
		}
	}
	return all, nil
}

// missing answers for an object that is not there. "If the object you request
// doesn't exist, the error that Amazon S3 returns depends on whether you also
// have the s3:ListBucket permission": without it nobody learns what is missing.
func (x *exchange) missing(key string) error {
	if err := x.allow("s3:ListBucket", ""); err != nil {
		return err
	}
	return errNoKey(key)
}

// conditions holds an object against the conditional headers of a GET or HEAD,
// in the order of RFC 9110 §13.2.2, which is also S3's: If-Match outranks
// If-Unmodified-Since, If-None-Match outranks If-Modified-Since.
func (o *object) conditions(h http.Header) error {
	at := o.modified().Truncate(time.Second)
	if v := h.Get("If-Match"); v != "" {
		if !o.matches(v) {
			return errPrecondition("If-Match")
		}
	} else if t, err := http.ParseTime(h.Get("If-Unmodified-Since")); err == nil && at.After(t) {
		return errPrecondition("If-Unmodified-Since")
	}
	notModified := fault(http.StatusNotModified, "NotModified", "Not Modified")
	if v := h.Get("If-None-Match"); v != "" {
		if o.matches(v) {
			return notModified
		}
	} else if t, err := http.ParseTime(h.Get("If-Modified-Since")); err == nil && !at.After(t) {
		return notModified
	}
	return nil
}

// matches reports whether a list of entity tags names the object. S3 takes tags
// without quotes, too.
func (o *object) matches(list string) bool {
	for tag := range strings.SplitSeq(list, ",") {
		tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/")
		if tag == "*" || strings.Trim(tag, `"`) == o.ETag {
			return true
		}
	}
	return false
}

// rangeApplies reports whether a Range holds in spite of If-Range.
func (o *object) rangeApplies(ifRange string) bool {
	if ifRange == "" {
		return true
	}
	if t, err := http.ParseTime(ifRange); err == nil {
		return o.modified().Truncate(time.Second).Equal(t)
	}
	return ifRange == `"`+o.ETag+`"`
}

// parseRange reads a Range header (RFC 9110 §14.1.2) for size bytes. It reports
// false for what is to be ignored: another unit, bad syntax, and several ranges,
// which S3 does not serve. A length of 0 means that nothing is in range.
func parseRange(spec string, size int64) (start, length int64, ok bool) {
	unit, spec, found := strings.Cut(spec, "=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !found || !dash || !strings.EqualFold(strings.TrimSpace(unit), "bytes") {
		return 0, 0, false
	}
	if first == "" { // the last so many bytes
		n, ok := parseCount(last)
		n = min(n, size)
		return size - n, n, ok
	}
	start, ok = parseCount(first)
	if !ok {
		return 0, 0, false
	}
	end := size - 1
	if last != "" {
		n, ok := parseCount(last)
		if !ok || n < start {
			return 0, 0, false
		}
		end = min(n, end)
	}
	return start, max(end-start+1, 0), true
}

// parseCount reads digits alone; a number beyond int64 is as good as its end.
func parseCount(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n = 1<<63 - 2 // so that n+1 is one, too
	}
	return n, true
}
