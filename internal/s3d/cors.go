package s3d

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Which pages may talk to a bucket.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html

const (
	// maxSettings: "the document is limited to 64 KB in size".
	maxSettings = 64 << 10
	// maxRules: "you can add up to 100 rules to the configuration".
	maxRules = 100
)

// corsRule lets pages of some origins send some requests.
type corsRule struct {
	ID      string   `xml:"ID"`
	Origins []string `xml:"AllowedOrigin"`
	Methods []string `xml:"AllowedMethod"`
	Headers []string `xml:"AllowedHeader"`
	Expose  []string `xml:"ExposeHeader"`
	MaxAge  *int     `xml:"MaxAgeSeconds"` // seconds; nil: not said
	Others  []struct {
		XMLName xml.Name
	} `xml:",any"`
}

// parseCORS reads and checks a CORSConfiguration.
func parseCORS(doc []byte) ([]corsRule, error) {
	var c struct {
		XMLName xml.Name   `xml:"CORSConfiguration"`
		Rules   []corsRule `xml:"CORSRule"`
		Others  []struct {
			XMLName xml.Name
		} `xml:",any"`
	}
	if err := decodeXML(doc, &c); err != nil {
		return nil, err
	}
	if len(c.Rules) == 0 || len(c.Rules) > maxRules || len(c.Others) > 0 {
		return nil, errMalformedXML()
	}
	for i := range c.Rules {
		if err := c.Rules[i].check(); err != nil {
			return nil, err
		}
	}
	return c.Rules, nil
}

func (r *corsRule) check() error {
	if len(r.Origins) == 0 || len(r.Methods) == 0 || len(r.Others) > 0 || len(r.ID) > 255 || r.MaxAge != nil && *r.MaxAge < 0 {
		return errMalformedXML()
	}
	for _, m := range r.Methods {
		switch m {
		case http.MethodGet, http.MethodPut, http.MethodHead, http.MethodPost, http.MethodDelete:
		default:
			return errInvalidRequest("Found unsupported HTTP method in CORS config. Unsupported method is " + m)
		}
	}
	for _, o := range r.Origins {
		if strings.Count(o, "*") > 1 {
			return errInvalidRequest(`AllowedOrigin "` + o + `" can not have more than one wildcard.`)
		}
		if o == "" || !isText(o) {
			return errMalformedXML()
		}
	}
	for _, h := range r.Headers {
		if strings.Count(h, "*") > 1 {
			return errInvalidRequest(`AllowedHeader "` + h + `" can not have more than one wildcard.`)
		}
		if !isToken(h) {
			return errMalformedXML()
		}
	}
	for _, h := range r.Expose {
		if strings.Contains(h, "*") {
			return errInvalidRequest(`ExposeHeader "` + h + `" contains wildcard. We currently do not support wildcard for ExposeHeader.`)
		}
		if !isToken(h) {
			return errMalformedXML()
		}
	}
	return nil
}

// origin returns the rule's origin that lets a page in, "" if none does.
func (r *corsRule) origin(page string) string {
	for _, o := range r.Origins {
		if matchesWildcard(o, page) {
			return o
		}
	}
	return ""
}

// allows reports whether the rule lets a page send all of these headers.
func (r *corsRule) allows(headers []string) bool {
	for _, h := range headers {
		if !isToken(h) || !slices.ContainsFunc(r.Headers, func(allowed string) bool {
			return matchesWildcard(strings.ToLower(allowed), h)
		}) {
			return false
		}
	}
	return true
}

// matchesWildcard compares whole texts; one "*" in the pattern stands for
// anything. Origins are compared as browsers spell them, case and all.
func matchesWildcard(pattern, s string) bool {
	before, behind, ok := strings.Cut(pattern, "*")
	if !ok {
		return pattern == s
	}
	return len(s) >= len(before)+len(behind) && strings.HasPrefix(s, before) && strings.HasSuffix(s, behind)
}

// matchCORS returns the first rule for a page, method and headers: "Amazon S3
// uses the first CORSRule rule that matches the incoming browser request".
func matchCORS(rules []corsRule, page, method string, headers []string) (*corsRule, string) {
	for i := range rules {
		r := &rules[i]
		if o := r.origin(page); o != "" && slices.Contains(r.Methods, method) && r.allows(headers) {
			return r, o
		}
	}
	return nil, ""
}

// writeCORS sets the headers that let a page read the answer, on answers of
// every status. It fails in silence: whether there is such a bucket is not for
// everybody to know.
func (x *exchange) writeCORS() {
	b, err := x.s.bucket(x.name)
	if err != nil {
		return
	}
	rules := b.cors.value()
	if len(rules) == 0 {
		return
	}
	// Also without an Origin: a cache must not give this answer to a page.
	x.w.Header().Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
	page := x.r.Header.Get("Origin")
	if page == "" || x.r.Method == http.MethodOptions {
		return
	}
	if rule, origin := matchCORS(rules, page, x.r.Method, nil); rule != nil {
		rule.writeTo(x.w.Header(), origin, page)
	}
}

func (r *corsRule) writeTo(h http.Header, origin, page string) {
	if origin == "*" {
		h.Set("Access-Control-Allow-Origin", "*") // never with credentials
	} else {
		h.Set("Access-Control-Allow-Origin", page)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(r.Methods, ", "))
	if len(r.Expose) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(r.Expose, ", "))
	}
	if r.MaxAge != nil {
		h.Set("Access-Control-Max-Age", strconv.Itoa(*r.MaxAge))
	}
}

// preflight answers a browser that asks whether it may send a request.
func (x *exchange) preflight() error {
	page, method := x.r.Header.Get("Origin"), x.r.Header.Get("Access-Control-Request-Method")
	bad := func(message string) error { return fault(http.StatusBadRequest, "BadRequest", message) }
	if page == "" {
		return bad("Insufficient information. Origin request header needed.")
	}
	switch method {
	case http.MethodGet, http.MethodPut, http.MethodHead, http.MethodPost, http.MethodDelete:
	default:
		return bad("Invalid Access-Control-Request-Method: " + method)
	}
	forbidden := func(message string) error {
		kind := "OBJECT"
		if x.key == "" {
			kind = "BUCKET"
		}
		return fault(http.StatusForbidden, "AccessForbidden", message, "Method", method, "ResourceType", kind)
	}
	var rules []corsRule
	if b, err := x.s.bucket(x.name); err == nil {
		rules = b.cors.value()
	}
	if len(rules) == 0 {
		return forbidden("CORSResponse: CORS is not enabled for this bucket.")
	}
	var headers []string
	for h := range strings.SplitSeq(strings.Join(x.r.Header.Values("Access-Control-Request-Headers"), ","), ",") {
		if h = strings.ToLower(strings.TrimSpace(h)); h != "" {
			headers = append(headers, h)
		}
	}
	rule, origin := matchCORS(rules, page, method, headers)
	if rule == nil {
		return forbidden("CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, " +
			"request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.")
	}
	rule.writeTo(x.w.Header(), origin, page)
	if len(headers) > 0 {
		x.w.Header().Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
	}
	x.answer(http.StatusOK, "", nil)
	return nil
}

func (x *exchange) getCORS() error {
	doc := x.bucket.cors.document()
	if doc == nil {
		return fault(http.StatusNotFound, "NoSuchCORSConfiguration", "The CORS configuration does not exist", "BucketName", x.name)
	}
	x.answer(http.StatusOK, xmlType, doc)
	return nil
}

func (x *exchange) putCORS() error {
	doc, err := x.settings()
	if err != nil {
		return err
	}
	if err := x.bucket.cors.set(x.bucket, doc); err != nil {
		return err
	}
	x.answer(http.StatusOK, "", nil)
	return nil
}

func (x *exchange) deleteCORS() error {
	if err := x.bucket.cors.set(x.bucket, nil); err != nil {
		return err
	}
	x.answer(http.StatusNoContent, "", nil)
	return nil
}
