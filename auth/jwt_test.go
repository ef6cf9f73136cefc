package auth_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/auth"
)

// noon is when the tests' clock stands.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// signers are keys as an issuer has them. Tokens are put together by hand here:
// what makes them must not be what reads them.
type signers struct {
	rsa, small *rsa.PrivateKey
	ec, ec384  *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
	secret     []byte
}

var issuer = sync.OnceValue(func() *signers {
	s := &signers{secret: bytes.Repeat([]byte("s3cret! "), 4)}
	var errs [5]error
	s.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	s.small, errs[1] = rsa.GenerateKey(rand.Reader, 1024)
	s.ec, errs[2] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.ec384, errs[3] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, s.ed, errs[4] = ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return s
})

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// signedBy makes a token of header and payload as they are.
func signedBy(key any, header, payload string) string {
	text := b64([]byte(header)) + "." + b64([]byte(payload))
	return text + "." + b64(signature(key, text))
}

func signature(key any, text string) []byte {
	sum := sha256.Sum256([]byte(text))
	var b []byte
	var err error
	switch k := key.(type) {
	case nil:
	case []byte:
		h := hmac.New(sha256.New, k)
		h.Write([]byte(text))
		b = h.Sum(nil)
	case *rsa.PrivateKey:
		b, err = rsa.SignPKCS1v15(nil, k, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		if r, s, err = ecdsa.Sign(rand.Reader, k, sum[:]); err == nil {
			n := (k.Curve.Params().BitSize + 7) / 8
			b = append(r.FillBytes(make([]byte, n)), s.FillBytes(make([]byte, n))...)
		}
	case ed25519.PrivateKey:
		b = ed25519.Sign(k, []byte(text))
	default:
		err = fmt.Errorf("key of type %T", k)
	}
	if err != nil {
		panic(err)
	}
	return b
}

type m = map[string]any

// jwk is a public key as a set has it.
func jwk(kid string, key any, more m) m {
	k := m{"kid": kid}
	switch p := key.(type) {
	case *rsa.PrivateKey:
		k["kty"], k["n"], k["e"] = "RSA", b64(p.N.Bytes()), b64(big.NewInt(int64(p.E)).Bytes())
	case *ecdsa.PrivateKey:
		n := (p.Curve.Params().BitSize + 7) / 8
		k["kty"], k["crv"] = "EC", p.Curve.Params().Name
		k["x"], k["y"] = b64(p.X.FillBytes(make([]byte, n))), b64(p.Y.FillBytes(make([]byte, n)))
	case ed25519.PrivateKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", b64(p.Public().(ed25519.PublicKey)) //nolint:forcetypeassert // it is one
	case []byte:
		k["kty"], k["k"] = "oct", b64(p)
	}
	maps.Copy(k, more)
	return k
}

func set(keys ...m) []byte { return mustJSON(m{"keys": keys}) }

// good is a payload that is taken, with some of it changed; nil takes a claim
// away.
func good(change m) string {
	c := m{"iss": "https://login.example", "aud": "postern", "sub": "alice", "exp": noon.Add(time.Hour).Unix(), "iat": noon.Unix()}
	for name, v := range change {
		if c[name] = v; v == nil {
			delete(c, name)
		}
	}
	return string(mustJSON(c))
}

func publicConfig() auth.JWTConfig {
	s := issuer()
	return auth.JWTConfig{
		PublicKeys: set(jwk("r", s.rsa, nil), jwk("e", s.ec, nil), jwk("d", s.ed, nil)),
		Issuer:     "https://login.example", Audience: []string{"other", "postern"}, Now: atNoon,
	}
}

func newJWT(t testing.TB, c auth.JWTConfig) *auth.JWT {
	t.Helper()
	j, err := auth.NewJWT(c)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func withToken(text string) *http.Request {
	r := httptest.NewRequest("GET", "/uploads", nil)
	r.Header.Set("Authorization", "Bearer "+text)
	return r
}

// asked is what a kind says to a request.
func asked(k auth.Kind, r *http.Request) (postern.Identity, error) {
	return auth.Any(k).Authenticate(r)
}

func TestJWT_Good(t *testing.T) {
	s := issuer()
	c := publicConfig()
	c.Secrets = [][]byte{bytes.Repeat([]byte("old"), 20), s.secret}
	j := newJWT(t, c)
	for name, text := range map[string]string{
		"RS256":            signedBy(s.rsa, `{"alg":"RS256","kid":"r","typ":"JWT"}`, good(nil)),
		"ES256":            signedBy(s.ec, `{"alg":"ES256","kid":"e"}`, good(nil)),
		"EdDSA":            signedBy(s.ed, `{"alg":"EdDSA","kid":"d","typ":"at+jwt"}`, good(nil)),
		"HS256":            signedBy(s.secret, `{"alg":"HS256"}`, good(nil)),
		"no kid":           signedBy(s.ec, `{"alg":"ES256"}`, good(nil)),
		"audiences":        signedBy(s.ec, `{"alg":"ES256"}`, good(m{"aud": []string{"x", "postern"}})),
		"within leeway":    signedBy(s.ec, `{"alg":"ES256"}`, good(m{"exp": noon.Add(-59 * time.Second).Unix(), "nbf": noon.Add(time.Minute).Unix()})),
		"type in full":     signedBy(s.ec, `{"alg":"ES256","typ":"application/jwt"}`, good(nil)),
		"time is fraction": signedBy(s.ec, `{"alg":"ES256"}`, good(m{"exp": float64(noon.Unix()) + 10.5})),
	} {
		if who, err := asked(j, withToken(text)); err != nil || who.Principal != "alice" || who.Presets != nil || who.Limits.MaxBytes != 0 {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	lower := withToken(signedBy(s.ec, `{"alg":"ES256"}`, good(nil)))
	lower.Header.Set("Authorization", strings.Replace(lower.Header.Get("Authorization"), "Bearer", "bearer", 1))
	if _, err := asked(j, lower); err != nil {
		t.Errorf("scheme in lower case: %v", err)
	}
}

// Threat 17: tokens of attackers. Each differs in one thing from one that is
// taken.
func TestThreat17_HostileJWTs(t *testing.T) {
	s := issuer()
	c := publicConfig()
	c.Secrets = [][]byte{s.secret}
	j := newJWT(t, c)
	ok := good(nil)
	es := func(payload string) string { return signedBy(s.ec, `{"alg":"ES256","kid":"e"}`, payload) }
	valid := es(ok)
	parts := strings.Split(valid, ".")
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(s.rsa.Public()))})
	rsaDER := must(x509.MarshalPKIXPublicKey(s.rsa.Public()))
	stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	strangers := string(mustJSON(jwk("e", stranger, nil)))

	for name, text := range map[string]string{
		"none":                     signedBy(nil, `{"alg":"none"}`, ok),
		"None":                     signedBy(nil, `{"alg":"None"}`, ok),
		"none with a signature":    b64([]byte(`{"alg":"none"}`)) + "." + parts[1] + "." + parts[2],
		"no alg":                   signedBy(s.ec, `{"kid":"e"}`, ok),
		"alg is a number":          signedBy(s.ec, `{"alg":1}`, ok),
		"alg twice":                signedBy(s.ec, `{"alg":"ES256","alg":"none"}`, ok),
		"alg in another case":      signedBy(s.ec, `{"ALG":"ES256"}`, ok),
		"HS256 by public PEM":      signedBy(rsaPEM, `{"alg":"HS256","kid":"r"}`, ok),
		"HS256 by public DER":      signedBy(rsaDER, `{"alg":"HS256","kid":"r"}`, ok),
		"HS256 by modulus":         signedBy(s.rsa.N.Bytes(), `{"alg":"HS256","kid":"r"}`, ok),
		"HS256 by Ed25519 key":     signedBy([]byte(s.ed.Public().(ed25519.PublicKey)), `{"alg":"HS256","kid":"d"}`, ok), //nolint:forcetypeassert // it is one
		"HS256 by nothing":         signedBy([]byte{}, `{"alg":"HS256"}`, ok),
		"RS256 by the secret":      signedBy(s.secret, `{"alg":"RS256","kid":"r"}`, ok),
		"ES256 says RS256":         signedBy(s.ec, `{"alg":"RS256","kid":"e"}`, ok),
		"RS256 says ES256":         signedBy(s.rsa, `{"alg":"ES256","kid":"r"}`, ok),
		"RS512":                    signedBy(s.rsa, `{"alg":"RS512","kid":"r"}`, ok),
		"PS256":                    signedBy(s.rsa, `{"alg":"PS256","kid":"r"}`, ok),
		"HS384":                    signedBy(s.secret, `{"alg":"HS384"}`, ok),
		"another kid":              signedBy(s.ec, `{"alg":"ES256","kid":"r"}`, ok),
		"unknown kid":              signedBy(s.ec, `{"alg":"ES256","kid":"nobody"}`, ok),
		"kid of a file":            signedBy([]byte{}, `{"alg":"HS256","kid":"../../../../dev/null"}`, ok),
		"kid of SQL":               signedBy([]byte("x"), `{"alg":"HS256","kid":"e' UNION SELECT 'x"}`, ok),
		"kid is a list":            signedBy(s.ec, `{"alg":"ES256","kid":["e"]}`, ok),
		"huge kid":                 signedBy(s.ec, `{"alg":"ES256","kid":"`+strings.Repeat("e", 300)+`"}`, ok),
		"jwk":                      signedBy(stranger, `{"alg":"ES256","kid":"e","jwk":`+strangers+`}`, ok),
		"jwk without kid":          signedBy(stranger, `{"alg":"ES256","jwk":`+strangers+`}`, ok),
		"crit":                     signedBy(s.ec, `{"alg":"ES256","kid":"e","crit":["exp"]}`, ok),
		"crit b64":                 signedBy(s.ec, `{"alg":"ES256","kid":"e","b64":false,"crit":["b64"]}`, ok),
		"another type":             signedBy(s.ec, `{"alg":"ES256","kid":"e","typ":"logout+jwt"}`, ok),
		"a stranger's":             signedBy(stranger, `{"alg":"ES256","kid":"e"}`, ok),
		"zeroes for a signature":   parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)),
		"no signature":             parts[0] + "." + parts[1] + ".",
		"two parts":                parts[0] + "." + parts[1],
		"four parts":               valid + ".e30",
		"five parts":               valid + ".e30.e30",
		"other payload":            parts[0] + "." + b64([]byte(good(m{"sub": "bob"}))) + "." + parts[2],
		"other header":             b64([]byte(`{"alg":"ES256","kid":"e","x":1}`)) + "." + parts[1] + "." + parts[2],
		"padded base64":            parts[0] + "." + parts[1] + "==." + parts[2],
		"standard base64":          signedBy(s.ec, `{"alg":"ES256","x":"???>>>"}`, ok) + "+/",
		"bad base64":               "!." + parts[1] + "." + parts[2],
		"header is no JSON":        signedBy(s.ec, `alg`, ok),
		"header is a list":         signedBy(s.ec, `["ES256"]`, ok),
		"JSON serialization":       `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"huge":                     es(good(m{"x": strings.Repeat("x", 9000)})),
		"deep":                     es(`{"exp":9999999999,"x":` + strings.Repeat("[", 2500) + strings.Repeat("]", 2500) + `}`),
		"empty":                    "..",
		"dots":                     strings.Repeat(".", 1000),
		"expired":                  es(good(m{"exp": noon.Add(-61 * time.Second).Unix()})),
		"expired at the second":    es(good(m{"exp": noon.Add(-60 * time.Second).Unix()})),
		"no end":                   es(good(m{"exp": nil})),
		"end is a text":            es(good(m{"exp": "9999999999"})),
		"end is null":              es(strings.Replace(good(m{"exp": 1}), `"exp":1`, `"exp":null`, 1)),
		"end wraps":                es(strings.Replace(good(m{"exp": 1}), `"exp":1`, `"exp":1e300`, 1)),
		"end is infinite":          es(strings.Replace(good(m{"exp": 1}), `"exp":1`, `"exp":1e999`, 1)),
		"end is negative":          es(good(m{"exp": -1})),
		"not yet":                  es(good(m{"nbf": noon.Add(61 * time.Second).Unix()})),
		"not before wraps":         es(strings.Replace(good(m{"nbf": 1}), `"nbf":1`, `"nbf":9223372036854775808`, 1)),
		"made in the future":       es(good(m{"iat": noon.Add(61 * time.Second).Unix()})),
		"another issuer":           es(good(m{"iss": "https://login.example/"})),
		"no issuer":                es(good(m{"iss": nil})),
		"issuer is a list":         es(good(m{"iss": []string{"https://login.example"}})),
		"another audience":         es(good(m{"aud": "postern2"})),
		"no audience":              es(good(m{"aud": nil})),
		"empty audience":           es(good(m{"aud": []string{}})),
		"audience of numbers":      es(good(m{"aud": []any{1, "postern"}})),
		"audience is an object":    es(good(m{"aud": m{"postern": 1}})),
		"subject twice":            es(strings.Replace(ok, `"sub":"alice"`, `"sub":"alice","sub":"bob"`, 1)),
		"end twice":                es(strings.Replace(ok, `"sub":`, `"exp":1,"sub":`, 1)),
		"escaped twice":            es(strings.Replace(ok, `"sub":"alice"`, `"sub":"alice","s\u0075b":"bob"`, 1)),
		"claim in another case":    es(strings.Replace(ok, `"sub"`, `"Sub"`, 1)),
		"no subject":               es(good(m{"sub": nil})),
		"empty subject":            es(good(m{"sub": ""})),
		"subject is null":          es(strings.Replace(ok, `"alice"`, `null`, 1)),
		"subject is true":          es(good(m{"sub": true})),
		"subject is a list":        es(good(m{"sub": []string{"alice"}})),
		"subject is a fraction":    es(good(m{"sub": 1.5})),
		"subject with line break":  es(good(m{"sub": "alice\nbob"})),
		"subject too long":         es(good(m{"sub": strings.Repeat("a", 97)})),
		"subject of an API key":    es(good(m{"sub": "key/shop/alice"})),
		"payload is a list":        es(`[]`),
		"payload is null":          es(`null`),
		"payload is no JSON":       es(`sub=alice`),
		"something behind payload": es(ok + `{"sub":"bob"}`),
	} {
		who, err := asked(j, withToken(text))
		if !errors.Is(err, postern.ErrCredentialInvalid) || who.Principal != "" {
			t.Errorf("%s: %+v, %v", name, who, err)
			continue
		}
		if e, _ := postern.ProblemOf(err); strings.Contains(err.Error(), parts[1]) || strings.Contains(e.Detail, "alice") {
			t.Errorf("%s: the error tells what is in the token: %v", name, err)
		}
	}
	if _, err := asked(j, withToken(valid)); err != nil {
		t.Errorf("and the good one: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Threat 17: addresses in a token's header are never asked.
func TestThreat17_TokensNameNoKeys(t *testing.T) {
	s := issuer()
	called := make(chan string, 10)
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		called <- r.URL.Path
		w.Write(set(jwk("x", s.ec384, nil))) //nolint:errcheck // nobody should read it
	}))
	defer evil.Close()
	stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	j := newJWT(t, publicConfig())
	for _, name := range []string{"jku", "x5u"} {
		header := string(mustJSON(m{"alg": "ES256", "kid": "x", name: evil.URL + "/" + name}))
		if _, err := asked(j, withToken(signedBy(stranger, header, good(nil)))); !errors.Is(err, postern.ErrCredentialInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	select {
	case path := <-called:
		t.Errorf("%s was asked for", path)
	default:
	}
}

func TestJWT_Claims(t *testing.T) {
	s := issuer()
	c := publicConfig()
	c.PrincipalClaim, c.PresetsClaim, c.MaxBytesClaim = "user_id", "uploads", "https://app.example/max"
	j := newJWT(t, c)
	for name, x := range map[string]struct {
		claims  m
		who     string
		presets []string // nil: refused
		most    int64
	}{
		"list":              {m{"user_id": "u1", "uploads": []string{"a", "b"}, "https://app.example/max": 5}, "u1", []string{"a", "b"}, 5},
		"text":              {m{"user_id": "u1", "uploads": "a b"}, "u1", []string{"a", "b"}, 0},
		"number":            {m{"user_id": 9007199254740993, "uploads": ""}, "9007199254740993", []string{}, 0},
		"no presets":        {m{"user_id": "u1"}, "u1", []string{}, 0},
		"presets wrong":     {m{"user_id": "u1", "uploads": 1}, "", nil, 0},
		"presets mixed":     {m{"user_id": "u1", "uploads": []any{"a", nil}}, "", nil, 0},
		"limit 0":           {m{"user_id": "u1", "https://app.example/max": 0}, "", nil, 0},
		"limit negative":    {m{"user_id": "u1", "https://app.example/max": -1}, "", nil, 0},
		"limit is a text":   {m{"user_id": "u1", "https://app.example/max": "5"}, "", nil, 0},
		"limit too large":   {m{"user_id": "u1", "https://app.example/max": json.Number("99999999999999999999")}, "", nil, 0},
		"subject alone":     {m{}, "", nil, 0},
		"exponent as an id": {m{"user_id": json.Number("1e3")}, "", nil, 0},
	} {
		who, err := asked(j, withToken(signedBy(s.ec, `{"alg":"ES256"}`, good(x.claims))))
		if x.presets == nil {
			if !errors.Is(err, postern.ErrCredentialInvalid) {
				t.Errorf("%s: %+v, %v", name, who, err)
			}
			continue
		}
		if err != nil || who.Principal != x.who || who.Presets == nil || !slices.Equal(who.Presets, x.presets) || who.Limits.MaxBytes != x.most {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
}

func TestNewJWT_Refuses(t *testing.T) {
	s := issuer()
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(s.ec))})
	for want, change := range map[string]func(*auth.JWTConfig){
		"nothing is given":         func(c *auth.JWTConfig) { c.PublicKeys = nil },
		"issuer and audience":      func(c *auth.JWTConfig) { c.Issuer = "" },
		"audience must be given":   func(c *auth.JWTConfig) { c.Audience = nil },
		"an audience is empty":     func(c *auth.JWTConfig) { c.Audience = []string{"a", ""} },
		"leeway must be":           func(c *auth.JWTConfig) { c.Leeway = 6 * time.Minute },
		"leeway must be from":      func(c *auth.JWTConfig) { c.Leeway = -1 },
		"a secret has 31 bytes":    func(c *auth.JWTConfig) { c.Secrets = [][]byte{make([]byte, 31)} },
		"it must be https":         func(c *auth.JWTConfig) { c.JWKSURL = "http://login.example/jwks" },
		"it must be a URL":         func(c *auth.JWTConfig) { c.JWKSURL = "login.example" },
		"must not hold a password": func(c *auth.JWTConfig) { c.JWKSURL = "https://a:b@login.example/" },
		"it must be https, or":     func(c *auth.JWTConfig) { c.JWKSURL = "file://localhost/etc/passwd" },
		"not a set of keys":        func(c *auth.JWTConfig) { c.PublicKeys = []byte("no") },
		"PRIVATE KEY":              func(c *auth.JWTConfig) { c.PublicKeys = private },
		"no key for RS256":         func(c *auth.JWTConfig) { c.PublicKeys = set(jwk("s", s.small, nil), jwk("e", s.ec384, nil)) },
		"it has 65 keys":           func(c *auth.JWTConfig) { c.PublicKeys = set(make([]m, 65)...) },
	} {
		c := publicConfig()
		change(&c)
		if _, err := auth.NewJWT(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Keys of a set that are not for verifying, or not of our kinds, verify nothing.
func TestJWT_KeysThatAreNotForThis(t *testing.T) {
	s := issuer()
	withPrivate := jwk("e", s.ec, m{"d": b64(s.ec.D.FillBytes(make([]byte, 32)))}) //nolint:staticcheck // as RFC 7518 has it
	for name, k := range map[string]m{
		"for encryption":       jwk("e", s.ec, m{"use": "enc"}),
		"for signing":          jwk("e", s.ec, m{"key_ops": []string{"sign"}}),
		"another algorithm":    jwk("e", s.ec, m{"alg": "ES384"}),
		"a private one":        withPrivate,
		"a point off the line": jwk("e", s.ec, m{"x": b64(make([]byte, 32))}),
		"key_ops twice":        nil,
	} {
		doc := set(k, jwk("d", s.ed, nil))
		if k == nil {
			doc = bytes.Replace(set(jwk("e", s.ec, m{"key_ops": []string{"sign"}}), jwk("d", s.ed, nil)), []byte(`"key_ops":["sign"]`), []byte(`"key_ops":["sign"],"key_ops":["verify"]`), 1)
		}
		c := publicConfig()
		c.PublicKeys = doc
		j := newJWT(t, c)
		if _, err := asked(j, withToken(signedBy(s.ec, `{"alg":"ES256","kid":"e"}`, good(nil)))); !errors.Is(err, postern.ErrCredentialInvalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := asked(j, withToken(signedBy(s.ed, `{"alg":"EdDSA","kid":"d"}`, good(nil)))); err != nil {
			t.Errorf("%s: the other key: %v", name, err)
		}
	}
	// A shared secret in a public set is no secret.
	c := publicConfig()
	c.PublicKeys = set(jwk("o", s.secret, nil), jwk("d", s.ed, nil))
	j := newJWT(t, c)
	if _, err := asked(j, withToken(signedBy(s.secret, `{"alg":"HS256","kid":"o"}`, good(nil)))); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Errorf("secret of a set: %v", err)
	}
	// PEM does as well, several of them.
	c.PublicKeys = nil
	for _, key := range []any{s.rsa.Public(), s.ec.Public()} {
		c.PublicKeys = append(c.PublicKeys, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key))})...)
	}
	if _, err := asked(newJWT(t, c), withToken(signedBy(s.ec, `{"alg":"ES256","kid":"whatever"}`, good(nil)))); err != nil {
		t.Errorf("PEM: %v", err)
	}
}

// Secrets alone need neither issuer nor audience; those that are given count.
func TestJWT_SecretAlone(t *testing.T) {
	s := issuer()
	j := newJWT(t, auth.JWTConfig{Secrets: [][]byte{s.secret}, Now: atNoon})
	bare := `{"sub":"alice","exp":` + fmt.Sprint(noon.Unix()+60) + `}`
	if _, err := asked(j, withToken(signedBy(s.secret, `{"alg":"HS256"}`, bare))); err != nil {
		t.Error(err)
	}
	if _, err := asked(j, withToken(signedBy(s.ec, `{"alg":"ES256"}`, bare))); !errors.Is(err, postern.ErrCredentialInvalid) {
		t.Error(err)
	}
}

func FuzzJWT(f *testing.F) {
	s := issuer()
	c := auth.JWTConfig{Secrets: [][]byte{s.secret}, Now: atNoon, PresetsClaim: "p", MaxBytesClaim: "b"}
	j := newJWT(f, c)
	f.Add(`{"alg":"HS256"}`, good(m{"p": []string{"a"}, "b": 5}), true)
	f.Add(`{"alg":"HS256","alg":"none"}`, good(nil), true)
	f.Add(`{"alg":"none","crit":[]}`, `{"sub":1,"exp":1e99,"aud":[[]]}`, true)
	f.Add(`eyJ`, `..`, false)
	f.Fuzz(func(t *testing.T, header, payload string, signed bool) {
		text := header + "." + payload
		if signed {
			text = signedBy(s.secret, header, payload)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = []string{"Bearer " + text}
		who, found, err := j.Identify(r)
		if err != nil {
			if !errors.Is(err, postern.ErrCredentialInvalid) || who.Principal != "" {
				t.Errorf("%+v, %v", who, err)
			}
			return
		}
		if found && (!signed || who.Principal == "" || len(who.Principal) > postern.MaxPrincipal || who.Presets == nil || who.Limits.MaxBytes < 0) {
			t.Errorf("%+v", who)
		}
	})
}
