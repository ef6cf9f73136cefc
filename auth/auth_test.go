package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"postern.example/postern"
	"postern.example/postern/auth"
)

// Threat 17: with several kinds at once, the first that finds a credential of its
// own decides; a wrong one never becomes somebody else's right one, and nobody
// becomes anonymous by it.
func TestThreat17_NoWeakerKind(t *testing.T) {
	a := newApp(t)
	path := filepath.Join(t.TempDir(), "keys.json")
	shop, text := newKey(t, auth.Key{Name: "shop"})
	writeKeys(t, path, shop)
	keys, jwt, forward := openKeys(t, path), newJWT(t, publicConfig()), a.forward(t, nil)
	_, wrong := newKey(t, auth.Key{Name: "shop"})
	good := signedBy(issuer().ec, `{"alg":"ES256"}`, good(m{"sub": "carol"}))

	with := func(authorization, cookie string) *http.Request {
		r := httptest.NewRequest("GET", "/uploads", nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if cookie != "" {
			r.Header.Set("Cookie", cookie)
		}
		return r
	}
	all := auth.Any(auth.None{}, keys, jwt, forward) // wherever None stands
	noJWT := auth.Any(keys, forward, auth.None{})
	closed := auth.Any(keys, jwt, forward)
	for name, x := range map[string]struct {
		by   postern.Authenticator
		r    *http.Request
		who  string
		want error
	}{
		"key":                         {all, with("Bearer "+text, ""), "key/shop", nil},
		"jwt":                         {all, with("Bearer "+good, ""), "carol", nil},
		"cookie":                      {all, with("", "session=s1"), "alice", nil},
		"nothing":                     {all, with("", ""), postern.Anonymous, nil},
		"nothing, closed":             {closed, with("", ""), "", postern.ErrUnauthenticated},
		"foreign cookie":              {all, with("", "other=1"), postern.Anonymous, nil},
		"key before cookie":           {all, with("Bearer "+text, "session=s1"), "key/shop", nil},
		"wrong key, good cookie":      {all, with("Bearer "+wrong, "session=s1"), "", postern.ErrCredentialInvalid},
		"wrong key, nothing else":     {all, with("Bearer "+wrong, ""), "", postern.ErrCredentialInvalid},
		"wrong jwt, good cookie":      {all, with("Bearer x.y.z", "session=s1"), "", postern.ErrCredentialInvalid},
		"token without tokens":        {all, with("Bearer pt_x", ""), "", postern.ErrCredentialInvalid},
		"stale cookie":                {all, with("", "session=stale"), "", postern.ErrUnauthenticated},
		"unknown scheme":              {all, with("Basic YTpi", ""), "", postern.ErrCredentialInvalid},
		"empty scheme":                {all, with("Bearer", ""), "", postern.ErrCredentialInvalid},
		"jwt where there is none":     {noJWT, with("Bearer "+good, ""), "", postern.ErrCredentialInvalid},
		"the same with a good cookie": {auth.Any(keys, auth.None{}), with("Bearer "+good, "session=s1"), "", postern.ErrCredentialInvalid},
		"jwt nobody knows, cookie":    {noJWT, with("Bearer "+good, "session=s1"), "", postern.ErrCredentialInvalid},
		"basic, good cookie":          {all, with("Basic YTpi", "session=s1"), "", postern.ErrCredentialInvalid},
		"no kinds":                    {auth.Any(), with("", ""), "", postern.ErrUnauthenticated},
		"no kinds, a key":             {auth.Any(), with("Bearer "+text, ""), "", postern.ErrCredentialInvalid},
		"none alone":                  {auth.Any(auth.None{}), with("Basic YTpi", "session=s1"), postern.Anonymous, nil},
	} {
		who, err := x.by.Authenticate(x.r)
		if !errors.Is(err, x.want) || who.Principal != x.who {
			t.Errorf("%s: %q, %v; want %q, %v", name, who.Principal, err, x.who, x.want)
		}
	}

	// Empty values are there as well.
	r := with("", "session=s1")
	r.Header["Authorization"] = []string{""}
	if who, err := all.Authenticate(r); err == nil && who.Principal != "alice" {
		t.Errorf("%+v", who)
	}
	r.Header["Authorization"] = []string{"Bearer " + text, "Bearer " + good}
	if who, err := all.Authenticate(r); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("two credentials: %+v, %v", who, err)
	}
}
