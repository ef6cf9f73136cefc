package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"postern.example/postern"
)

// Counter counts the uploads that tokens were used for. A token itself cannot
// say how often it was used, so this is the one thing about it that is kept,
// and it is kept where all copies of a program look: in the records.
type Counter interface {
	// Count notes one use of what name names, unless limit of them were noted:
	// false then. However many ask at a time, through however many copies, true
	// is answered limit times, and a use that was noted is durable. After until
	// it may be forgotten. ErrRecordsUnavailable when it cannot be noted now.
	Count(ctx context.Context, name string, limit int, until time.Time) (bool, error)
}

// TokensConfig is what upload tokens need. Now and Random have defaults.
type TokensConfig struct {
	Service *postern.Service
	Keys    *Keys    // who may make tokens
	Secrets [][]byte // at least 32 bytes each: the first seals tokens, all open them
	Counter Counter
	Now     func() time.Time // default time.Now
	Random  io.Reader        // default crypto/rand
}

// Tokens are upload tokens: "Authorization: Bearer pt_…", or in the path by
// [InPath]. A token is good for a number of uploads by one preset, until a
// time, and dies with the key that it was made with. What was begun with it can
// be finished, watched and removed for a day longer.
type Tokens struct {
	service *postern.Service
	keys    *Keys
	seals   tokenKeys
	counter Counter
	now     func() time.Time
	random  io.Reader
}

// afterwards is how long past its end a token still shows what was uploaded
// with it: a large file may take that long.
const afterwards = postern.Grace

// NewTokens makes the kind, or says which part of c is unusable.
func NewTokens(c TokensConfig) (*Tokens, error) {
	t := &Tokens{service: c.Service, keys: c.Keys, counter: c.Counter, now: c.Now, random: c.Random}
	if c.Service == nil || c.Keys == nil || c.Counter == nil {
		return nil, errors.New("make tokens: a service, keys and a counter are needed")
	}
	var err error
	if t.seals, err = newTokenKeys(c.Secrets); err != nil {
		return nil, fmt.Errorf("make tokens: %w", err)
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.random == nil {
		t.random = rand.Reader
	}
	return t, nil
}

// Identify implements [Kind].
func (t *Tokens) Identify(r *http.Request) (postern.Identity, bool, error) {
	text := bearer(r)
	if !strings.HasPrefix(text, TokenPrefix) {
		return postern.Identity{}, false, nil
	}
	x, err := t.seals.open(text)
	if err != nil {
		return postern.Identity{}, true, invalid("The upload token is not valid.", err)
	}
	now := t.now()
	if !now.Before(x.expires.Add(afterwards)) {
		return postern.Identity{}, true, invalid("The upload token has expired.", nil)
	}
	if _, err := t.keys.byMark(x.key); errors.Is(err, errRevoked) {
		return postern.Identity{}, true, invalid("The upload token is not valid.", err)
	} else if err != nil {
		return postern.Identity{}, true, err
	}
	return postern.Identity{
		Principal: x.principal, Presets: []string{x.preset}, Limits: postern.Limits{MaxBytes: x.maxBytes},
		Charge: func(ctx context.Context) error { return t.charge(ctx, x, now) },
	}, true, nil
}

// charge counts one upload of x.
func (t *Tokens) charge(ctx context.Context, x *token, now time.Time) error {
	if !now.Before(x.expires) {
		return invalid("The upload token has expired.", nil)
	}
	left, err := t.counter.Count(ctx, x.name(), x.uploads, x.expires)
	switch {
	case err != nil:
		return err
	case !left:
		e := postern.ErrTokenSpent.With("The upload token was good for %s, and they are used up.", uploads(x.uploads))
		e.Limit = int64(x.uploads)
		return e
	}
	return nil
}

func uploads(n int) string {
	if n == 1 {
		return "1 upload"
	}
	return fmt.Sprintf("%d uploads", n)
}

// Handler answers POST /tokens, which makes tokens for who shows an API key.
func (t *Tokens) Handler(c postern.HandlerConfig) (http.Handler, error) {
	c.Principal, c.Auth = nil, nil // a key is asked for below, and nothing else will do
	e, err := postern.NewEdge(t.service, c)
	if err != nil {
		return nil, err
	}
	e.Handle("POST /tokens", func(w http.ResponseWriter, r *http.Request) error { return t.issue(w, r, e.BaseURL()) })
	return e, nil
}

type issueJSON struct {
	Preset    string `json:"preset"`
	Uploads   *int   `json:"uploads"`
	ExpiresIn *int64 `json:"expires_in"` // seconds
	Principal string `json:"principal"`
}

type issuedJSON struct {
	Token     string    `json:"token"`
	URL       string    `json:"url"`
	Preset    string    `json:"preset"`
	Uploads   int       `json:"uploads"`
	Principal string    `json:"principal"`
	ExpiresAt time.Time `json:"expires_at"`
}

const (
	defaultTokenUploads = 1
	defaultTokenLife    = time.Hour
)

func (t *Tokens) issue(w http.ResponseWriter, r *http.Request, base string) error {
	if len(r.Header["Authorization"]) > 1 {
		return postern.ErrCredentialInvalid.With("There are two credentials in the request.")
	}
	key, found, err := t.keys.identify(r)
	switch {
	case err != nil:
		return err
	case !found && r.Header.Get("Authorization") != "":
		return postern.ErrNotPermitted.With("Upload tokens are made with an API key.")
	case !found:
		return postern.ErrUnauthenticated.With("Upload tokens are made with an API key.")
	}
	in := issueJSON{}
	if err := decode(r, &in); err != nil {
		return err
	}
	x, user, err := t.make(key, &in)
	if err != nil {
		return err
	}
	text := t.seals.seal(x)
	b, err := json.Marshal(issuedJSON{
		Token: text, URL: base + PathPrefix + text, Preset: x.preset, Uploads: x.uploads, Principal: user, ExpiresAt: x.expires,
	})
	if err != nil {
		return postern.ErrInternal.Because(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusCreated)
	w.Write(append(b, '\n')) //nolint:errcheck // the client has gone
	return nil
}

// make makes the token that in asks for, within what the key may do itself.
func (t *Tokens) make(key *Key, in *issueJSON) (x *token, user string, err error) {
	x = &token{uploads: defaultTokenUploads, maxBytes: key.Limits.MaxBytes, key: [markBytes]byte(key.hash[:markBytes])}
	life := defaultTokenLife
	if in.Uploads != nil {
		if x.uploads = *in.Uploads; x.uploads < 1 || x.uploads > MaxTokenUploads {
			return nil, "", badField("uploads", MaxTokenUploads, "uploads must be a number from 1 to %d.", MaxTokenUploads)
		}
	}
	if in.ExpiresIn != nil {
		if *in.ExpiresIn < 1 || *in.ExpiresIn > int64(MaxTokenLife/time.Second) {
			return nil, "", badField("expires_in", int64(MaxTokenLife/time.Second), "expires_in must be a number of seconds, from 1 to %d.", int64(MaxTokenLife/time.Second))
		}
		life = time.Duration(*in.ExpiresIn) * time.Second
	}
	x.expires = t.now().UTC().Add(life).Truncate(time.Second)
	preset, err := t.service.PresetFor(postern.Identity{Principal: key.Principal(), Presets: key.Presets, Limits: key.Limits}, in.Preset)
	if err != nil {
		return nil, "", err
	}
	x.preset = preset.Name
	if _, err := io.ReadFull(t.random, x.id[:]); err != nil {
		return nil, "", postern.ErrInternal.Because(err)
	}
	switch user = in.Principal; {
	case user == "":
		// Somebody nobody else is: who holds the token sees what came by it alone.
		user = generated + base64.RawURLEncoding.EncodeToString(x.id[:])
	case strings.HasPrefix(user, generated):
		return nil, "", badField("principal", 0, "principal must not begin with %q.", generated)
	}
	x.principal, err = key.userPrincipal(user)
	return x, user, err
}

func badField(field string, limit int64, format string, args ...any) error {
	e := postern.ErrBadRequest.With(format, args...)
	e.Field, e.Limit = field, limit
	return e
}

// decode reads one JSON object, strictly, into v.
func decode(r *http.Request, v any) error {
	// A page elsewhere may send anything but JSON without asking first.
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return postern.ErrMediaType.With("Send Content-Type: application/json.")
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			return nil
		}
		return postern.ErrBadRequest.With("There is more than one JSON value in the body.")
	}
	var wrongType *json.UnmarshalTypeError
	switch name, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return badField(wrongType.Field, 0, "%s must not be a %s.", wrongType.Field, wrongType.Value)
	case unknown:
		return badField(strings.Trim(name, `"`), 0, "There is no field %s.", name)
	}
	return postern.ErrBadRequest.With("The body is not one JSON object.").Because(err)
}
