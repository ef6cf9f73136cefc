package auth

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"

	"postern.example/postern"
)

// claims are the members of a token that was verified. The library's JSON
// refuses an object that has one twice.
type claims map[string]json.RawMessage

func parseClaims(payload []byte) (claims, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil || c == nil {
		return nil, errors.New("its claims are not one JSON object, each once")
	}
	return c, nil
}

// text is a claim that is a string; ok is false when it is not there.
func (c claims) text(name string) (s string, ok bool, err error) {
	raw, ok := c[name]
	if !ok {
		return "", false, nil
	}
	if !isText(raw) || json.Unmarshal(raw, &s) != nil {
		return "", false, fmt.Errorf("its claim %q is not a text", name)
	}
	return s, true, nil
}

// texts is a claim that is a string or a list of strings.
func (c claims) texts(name string) (list []string, ok bool, err error) {
	raw, ok := c[name]
	if !ok {
		return nil, false, nil
	}
	if isText(raw) {
		s, _, err := c.text(name)
		return []string{s}, true, err
	}
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil || items == nil {
		return nil, false, fmt.Errorf("its claim %q is not a list of texts", name)
	}
	list = make([]string, len(items))
	for i, item := range items {
		if !isText(item) || json.Unmarshal(item, &list[i]) != nil {
			return nil, false, fmt.Errorf("its claim %q is not a list of texts", name)
		}
	}
	return list, true, nil
}

func isText(raw []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) }

// at is a claim that is a time (NumericDate, RFC 7519 section 2).
func (c claims) at(name string) (t time.Time, ok bool, err error) {
	raw, ok := c[name]
	if !ok {
		return time.Time{}, false, nil
	}
	// Far enough away for everybody, and near enough for time.Time.
	const furthest = 1 << 40
	f, err := strconv.ParseFloat(string(bytes.TrimSpace(raw)), 64)
	if err != nil || math.IsNaN(f) || math.Abs(f) > furthest {
		return time.Time{}, false, fmt.Errorf("its claim %q is not a time", name)
	}
	return time.Unix(int64(math.Floor(f)), 0), true, nil
}

var wholeRE = regexp.MustCompile(`^(0|[1-9][0-9]{0,18})$`)

// number is a claim that is a whole number, not negative.
func (c claims) number(name string) (n int64, ok bool, err error) {
	raw, ok := c[name]
	if !ok {
		return 0, false, nil
	}
	text := string(bytes.TrimSpace(raw))
	if !wholeRE.MatchString(text) {
		return 0, false, fmt.Errorf("its claim %q is not a whole number", name)
	}
	n, err = strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, false, fmt.Errorf("its claim %q is too large", name)
	}
	return n, true, nil
}

var (
	errExpired  = errors.New("it has expired")
	errTimeless = errors.New("it does not say when it ends")
)

// checkTimes holds the claims against the clock. A token without an end is good
// for ever, which nobody means.
func (j *JWT) checkTimes(c claims) error {
	now := j.now()
	end, ok, err := c.at("exp")
	switch {
	case err != nil:
		return err
	case !ok:
		return errTimeless
	case !now.Before(end.Add(j.leeway)):
		return errExpired
	}
	for _, name := range []string{"nbf", "iat"} {
		begin, ok, err := c.at(name)
		switch {
		case err != nil:
			return err
		case ok && now.Add(j.leeway).Before(begin):
			return fmt.Errorf("it is not valid yet (%s)", name)
		}
	}
	return nil
}

// checkParties holds the claims against who may make tokens, and for whom.
func (j *JWT) checkParties(c claims) error {
	if j.issuer != "" {
		if iss, _, err := c.text("iss"); err != nil || iss != j.issuer {
			return errors.New("it is not of the issuer that is set")
		}
	}
	if len(j.audience) > 0 {
		aud, _, err := c.texts("aud")
		if err != nil || !slices.ContainsFunc(aud, func(a string) bool { return slices.Contains(j.audience, a) }) {
			return errors.New("it is not for the audience that is set")
		}
	}
	return nil
}

// identity is what the claims say of who asks. A claim that is set to be looked
// at and is not there permits nothing.
func (j *JWT) identity(c claims) (who postern.Identity, err error) {
	who.Principal, err = c.principal(j.principalClaim)
	if err != nil {
		return who, err
	}
	if j.presetsClaim != "" {
		list, _, err := c.texts(j.presetsClaim)
		if err != nil {
			return who, err
		}
		who.Presets = []string{}
		for _, text := range list { // one text may name several, as scopes do
			who.Presets = append(who.Presets, strings.Fields(text)...)
		}
	}
	if j.maxBytesClaim != "" {
		n, ok, err := c.number(j.maxBytesClaim)
		if err != nil || ok && n == 0 {
			return who, fmt.Errorf("its claim %q is not a number of bytes", j.maxBytesClaim)
		}
		who.Limits.MaxBytes = n
	}
	return who, nil
}

// principal is a claim that names somebody: a text, or a whole number, as the
// ids of many databases are.
func (c claims) principal(name string) (string, error) {
	p, ok, err := c.text(name)
	if err != nil {
		n, whole, wrong := c.number(name)
		if wrong != nil || !whole {
			return "", fmt.Errorf("its claim %q names nobody", name)
		}
		p, ok = strconv.FormatInt(n, 10), true
	}
	if !ok || foreign(p) != nil {
		return "", fmt.Errorf("its claim %q names nobody", name)
	}
	return p, nil
}
