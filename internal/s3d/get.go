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
	f, o, err := x.bucket.openKey(x.key)
	if isNoObject(err) {
		return errNoKey(x.key)
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
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
	h.Set("Content-Length", strconv.FormatInt(length, 10))
	if x.r.Method == http.MethodHead {
		x.w.WriteHeader(status)
		return nil
	}
	if _, err := f.Seek(start, io.SeekStart); err != nil {
		return err
	}
	x.w.WriteHeader(status)
	// Straight from file to connection: the body is a plain piece of the file.
	if _, err := io.CopyN(x.w, f, length); err != nil {
		x.s.log.LogAttrs(x.r.Context(), slog.LevelDebug, "answer broken off", x.attrs(slog.String("error", err.Error()))...)
	}
	return nil
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
