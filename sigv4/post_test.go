package sigv4_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

var session = sigv4.Credentials{
	AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "a/secret+of=ours", SessionToken: exampleToken,
	Expires: exampleTime.Add(time.Hour),
}

func photoPolicy(now time.Time) *sigv4.Policy {
	return &sigv4.Policy{Expiration: now.Add(5 * time.Minute), Conditions: []sigv4.Condition{
		sigv4.Eq("bucket", "photos"), sigv4.Eq("key", "incoming/1"), sigv4.Eq("Content-Type", "image/png"),
		sigv4.Eq("success_action_status", "204"), sigv4.Eq("x-amz-meta-ticket", "0123456789abcdef0123456789abcdef"),
		sigv4.LengthRange(1, 25e6),
	}}
}

// signedForm is what a browser would send for photoPolicy.
func signedForm(c sigv4.Credentials, now time.Time) sigv4.Form {
	f := sigv4.Form{
		"key": "incoming/1", "content-type": "image/png", "success_action_status": "204",
		"x-amz-meta-ticket": "0123456789abcdef0123456789abcdef",
	}
	for _, field := range sigv4.NewSigner("us-east-1").Post(c, now, photoPolicy(now)) {
		f[field.Name] = field.Value
	}
	return f
}

// accept checks a form as a bucket does.
func accept(v *sigv4.Verifier, f sigv4.Form) error {
	_, doc, err := v.Post(f)
	if err != nil {
		return err
	}
	p, err := sigv4.ParsePolicy(doc)
	if err != nil {
		return err
	}
	return p.Evaluate(f, "photos", v.Now())
}

func TestPostFieldsAndOrder(t *testing.T) {
	now := time.Date(2015, 12, 29, 3, 0, 0, 7, time.FixedZone("ahead", 5*3600)) // still the 28th in UTC
	for _, c := range []sigv4.Credentials{example, session} {
		p := photoPolicy(now)
		before := slices.Clone(p.Conditions)
		fields := sigv4.NewSigner("eu-west-1").Post(c, now, p)
		if !slices.Equal(p.Conditions, before) {
			t.Error("the caller's policy was changed")
		}
		names := []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date"}
		want := append(before, sigv4.Eq("x-amz-algorithm", "AWS4-HMAC-SHA256"),
			sigv4.Eq("x-amz-credential", c.AccessKeyID+"/20151228/eu-west-1/s3/aws4_request"), sigv4.Eq("x-amz-date", "20151228T220000Z"))
		if c.SessionToken != "" {
			names = append(names, "x-amz-security-token")
			want = append(want, sigv4.Eq("x-amz-security-token", c.SessionToken))
		}
		names = append(names, "x-amz-signature")
		for i, f := range fields {
			if f.Name != names[i] {
				t.Errorf("field %d is %s, want %s", i, f.Name, names[i])
			}
		}
		doc, err := base64.StdEncoding.DecodeString(fields[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		got, err := sigv4.ParsePolicy(doc)
		if err != nil || !slices.Equal(got.Conditions, want) {
			t.Errorf("got  %v, %v\nwant %v", got, err, want)
		}
	}
}

func TestPostSignAndVerify(t *testing.T) {
	for _, c := range []sigv4.Credentials{example, session, {AccessKeyID: "with/slash", SecretAccessKey: "s"}} {
		f := signedForm(c, exampleTime)
		if err := accept(verifierFor(c, exampleTime), f); err != nil {
			t.Errorf("%s: %v", c, err)
		}
	}
}

func TestPostTampered(t *testing.T) {
	encode := func(doc string) string { return base64.StdEncoding.EncodeToString([]byte(doc)) }
	type change = func(sigv4.Form)
	set := func(name, value string) change { return func(f sigv4.Form) { f[name] = value } }
	drop := func(names ...string) change {
		return func(f sigv4.Form) {
			for _, n := range names {
				delete(f, n)
			}
		}
	}
	denied := sigv4.ErrAccessDenied
	wrong := sigv4.ErrSignatureDoesNotMatch
	argument := sigv4.ErrInvalidArgument
	credential := func(s string) change { return set("x-amz-credential", s) }
	for name, tt := range map[string]struct {
		change change
		want   *sigv4.Error
		words  string
	}{
		"key":                       {set("key", "images/1"), denied, `["eq", "$key", "incoming/1"]`},
		"type":                      {set("content-type", "text/html"), denied, `"$Content-Type"`},
		"metadata":                  {set("x-amz-meta-ticket", "x"), denied, "x-amz-meta-ticket"},
		"field more":                {set("acl", "public-read"), denied, "Extra input fields: acl"},
		"field less":                {drop("content-type"), denied, "Content-Type"},
		"signature":                 {set("x-amz-signature", strings.Repeat("0", 64)), wrong, ""},
		"signature in capitals":     {func(f sigv4.Form) { f["x-amz-signature"] = strings.ToUpper(f["x-amz-signature"]) }, wrong, ""},
		"signature cut":             {func(f sigv4.Form) { f["x-amz-signature"] = f["x-amz-signature"][:63] }, wrong, ""},
		"signature longer":          {func(f sigv4.Form) { f["x-amz-signature"] += "0" }, wrong, ""},
		"Threat30 signature empty":  {set("x-amz-signature", ""), wrong, ""},
		"policy cut":                {func(f sigv4.Form) { f["policy"] = f["policy"][:40] }, wrong, ""},
		"policy empty":              {set("policy", ""), wrong, ""},
		"policy spelt otherwise":    {func(f sigv4.Form) { f["policy"] += "\n" }, wrong, ""},
		"policy replaced":           {set("policy", encode(`{`+expiration+`,"conditions":[]}`)), wrong, ""},
		"policy not base64":         {set("policy", "{}"), wrong, ""}, // the signature comes first
		"algorithm":                 {set("x-amz-algorithm", "AWS4-ECDSA-P256-SHA256"), argument, "X-Amz-Algorithm"},
		"algorithm in lower case":   {set("x-amz-algorithm", "aws4-hmac-sha256"), argument, "X-Amz-Algorithm"},
		"algorithm empty":           {set("x-amz-algorithm", ""), argument, "X-Amz-Algorithm"},
		"date, same day":            {set("x-amz-date", "20151229T000001Z"), denied, "$x-amz-date"},
		"date, other day":           {set("x-amz-date", "20151230T000000Z"), argument, "Invalid credential date"},
		"date malformed":            {set("x-amz-date", "2015-12-29T00:00:00Z"), argument, "X-Amz-Date must be formated via ISO8601 Long format"},
		"id":                        {credential("AKIDOTHER/20151229/us-east-1/s3/aws4_request"), sigv4.ErrInvalidAccessKeyID, ""},
		"id empty":                  {credential("/20151229/us-east-1/s3/aws4_request"), argument, "a non-empty Access Key (AKID) must be provided in the credential."},
		"region":                    {credential(example.AccessKeyID + "/20151229/eu-west-1/s3/aws4_request"), argument, "the region 'eu-west-1' is wrong; expecting 'us-east-1'"},
		"service":                   {credential(example.AccessKeyID + "/20151229/us-east-1/ec2/aws4_request"), argument, `incorrect service "ec2"`},
		"terminal":                  {credential(example.AccessKeyID + "/20151229/us-east-1/s3/aws5_request"), argument, `incorrect terminal "aws5_request"`},
		"day":                       {credential(example.AccessKeyID + "/2015129/us-east-1/s3/aws4_request"), argument, `incorrect date format "2015129"`},
		"credential malformed":      {credential(example.AccessKeyID), argument, "the Credential is mal-formed"},
		"credential empty":          {credential(""), argument, "the Credential is mal-formed"},
		"token of nobody":           {set("x-amz-security-token", "x"), sigv4.ErrInvalidToken, ""},
		"no algorithm, credential":  {drop("x-amz-algorithm", "x-amz-credential"), argument, "Bucket POST must contain a field named 'X-Amz-Algorithm'.  If it is specified, please check the order of the fields."},
		"no credential":             {drop("x-amz-credential"), argument, "'X-Amz-Credential'"},
		"no date":                   {drop("x-amz-date"), argument, "'X-Amz-Date'"},
		"no signature":              {drop("x-amz-signature"), argument, "'X-Amz-Signature'"},
		"no policy":                 {drop("policy"), argument, "'policy'"},
		"only a token":              {func(f sigv4.Form) { clear(f); f["x-amz-security-token"] = "x" }, argument, "'X-Amz-Algorithm'"},
		"Threat30 version 2":        {func(f sigv4.Form) { clear(f); f["awsaccesskeyid"], f["signature"], f["policy"] = "a", "b", "e30=" }, sigv4.ErrInvalidRequest, "AWS4-HMAC-SHA256"},
		"Threat30 both versions":    {set("awsaccesskeyid", example.AccessKeyID), sigv4.ErrInvalidRequest, ""},
		"Threat30 a stray v2 field": {set("signature", "x"), denied, "Extra input fields: signature"},
	} {
		t.Run(name, func(t *testing.T) {
			f := signedForm(example, exampleTime)
			signature := f["x-amz-signature"]
			tt.change(f)
			err := accept(verifierFor(example, exampleTime), f)
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.words) {
				t.Fatalf("got %v\nwant %s: %s", err, tt.want.Code, tt.words)
			}
			var e *sigv4.Error
			errors.As(err, &e)
			if e.Status < 400 {
				t.Errorf("status %d", e.Status)
			}
			if all := fmt.Sprintf("%v %v", e, e.Extra); strings.Contains(all, signature) || strings.Contains(all, f["policy"]) && f["policy"] != "" {
				t.Error("a signature or a policy in the error")
			}
		})
	}
}

// Every byte of what is signed matters.
func TestPostEveryByteCounts(t *testing.T) {
	v := verifierFor(session, exampleTime)
	good := signedForm(session, exampleTime)
	for name, value := range good {
		for i := range len(value) {
			f := maps.Clone(good)
			b := []byte(value)
			b[i] ^= 1
			f[name] = string(b)
			if err := accept(v, f); err == nil {
				t.Errorf("%s passes with byte %d changed to %q", name, i, b[i])
			}
		}
	}
}

func TestPostSessions(t *testing.T) {
	f := signedForm(session, exampleTime)
	late := verifierFor(session, session.Expires)
	if _, _, err := late.Post(f); !errors.Is(err, sigv4.ErrExpiredToken) {
		t.Errorf("at its end: %v", err)
	}
	if _, _, err := verifierFor(session, session.Expires.Add(-1)).Post(f); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	other := session
	other.SessionToken = "next"
	if _, _, err := verifierFor(other, exampleTime).Post(f); !errors.Is(err, sigv4.ErrInvalidToken) {
		t.Errorf("another session: %v", err)
	}
	delete(f, "x-amz-security-token")
	if _, _, err := verifierFor(session, exampleTime).Post(f); !errors.Is(err, sigv4.ErrInvalidToken) {
		t.Errorf("no token: %v", err)
	}
}

func TestPostAnonymous(t *testing.T) {
	for _, f := range []sigv4.Form{nil, {}, {"key": "a"}, {"key": "a", "policy": "x"}} {
		_, _, err := verifierFor(example, exampleTime).Post(f)
		if !errors.Is(err, sigv4.ErrAnonymous) {
			t.Errorf("%v: %v", f, err)
		}
	}
	if errors.Is(sigv4.ErrAccessDenied, sigv4.ErrAnonymous) || !errors.Is(sigv4.ErrAnonymous, sigv4.ErrAccessDenied) {
		t.Error("to be a stranger is to be denied, but not the other way round")
	}
}

func TestVerifierWithoutSecretsLetsNobodyIn(t *testing.T) {
	blank := sigv4.Credentials{AccessKeyID: "AKID"}
	f := signedForm(blank, exampleTime)
	for name, v := range map[string]*sigv4.Verifier{
		"blank secret": verifierFor(blank, exampleTime),
		"no lookup":    {Region: "us-east-1", Now: func() time.Time { return exampleTime }},
	} {
		if _, _, err := v.Post(f); !errors.Is(err, sigv4.ErrInvalidAccessKeyID) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCredentialsStaySecret(t *testing.T) {
	var lines strings.Builder
	slog.New(slog.NewTextHandler(&lines, nil)).Info("x", "c", session, "p", &session)
	for _, s := range []string{
		fmt.Sprint(session), fmt.Sprintf("%v %+v %#v %s %q", session, session, session, session, session),
		fmt.Sprintf("%v %+v %#v", &session, []sigv4.Credentials{session}, map[string]any{"a": session}), lines.String(),
	} {
		if strings.Contains(s, session.SecretAccessKey) || strings.Contains(s, session.SessionToken) {
			t.Errorf("a secret in %s", s)
		}
		if !strings.Contains(s, session.AccessKeyID) {
			t.Errorf("no id in %s", s)
		}
	}
}

func TestSignerConcurrentlyThroughMidnight(t *testing.T) {
	s := sigv4.NewSigner("us-east-1")
	clock := time.Date(2024, 12, 31, 23, 59, 59, 0, time.UTC)
	v := verifierFor(example, clock) // one verifier, too
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				now := clock.Add(time.Duration(i%3) * time.Second)
				f := sigv4.Form{
					"key": "incoming/1", "content-type": "image/png", "success_action_status": "204",
					"x-amz-meta-ticket": "0123456789abcdef0123456789abcdef",
				}
				for _, field := range s.Post(example, now, photoPolicy(now)) {
					f[field.Name] = field.Value
				}
				if err := accept(v, f); err != nil {
					t.Errorf("%v: %v", now, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
