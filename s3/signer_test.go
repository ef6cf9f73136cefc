package s3_test

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/posterntest"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// Two keys, each allowed what it needs and no more: see docs/provision.md.
var (
	signerKey = sigv4.Credentials{AccessKeyID: "SIGNERKEY", SecretAccessKey: "signers-secret"}
	workerKey = sigv4.Credentials{AccessKeyID: "WORKERKEY", SecretAccessKey: "workers-secret"}
)

const (
	signerPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow",
		"Action":["s3:PutObject","s3:AbortMultipartUpload","s3:ListMultipartUploadParts"],"Resource":"arn:aws:s3:::test/incoming/*"}}`
	workerPolicy = `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetObject","s3:DeleteObject","s3:AbortMultipartUpload"],"Resource":"arn:aws:s3:::test/incoming/*"},
		{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::test/images/*"},
		{"Effect":"Allow","Action":["s3:ListBucket","s3:ListBucketMultipartUploads"],"Resource":"arn:aws:s3:::test"}]}`
)

func given(c sigv4.Credentials) func(context.Context) (sigv4.Credentials, error) {
	return func(context.Context) (sigv4.Credentials, error) { return c, nil }
}

func startTwoKeys(t *testing.T) *posterntest.S3 {
	t.Helper()
	return posterntest.StartBucket(t, posterntest.BucketConfig{Users: []posterntest.BucketUser{
		{Name: "signer", Key: signerKey, Policy: signerPolicy}, {Name: "worker", Key: workerKey, Policy: workerPolicy},
	}})
}

// What writes below incoming/ is the signer's, everything else the other's:
// with the two keys that are allowed just that, everything works.
func TestSigner(t *testing.T) {
	at := startTwoKeys(t)
	conf := s3.Config{Bucket: "test", Endpoint: at.Endpoint, PathStyle: true, Credentials: given(workerKey), Signer: &s3.Signer{Credentials: given(signerKey)}}
	b, err := s3.New(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{"worker": workerKey.AccessKeyID, "signer": signerKey.AccessKeyID} {
		get := map[string]func(context.Context) (sigv4.Credentials, error){"worker": b.Credentials, "signer": b.SigningCredentials}[what]
		if c, err := get(t.Context()); err != nil || c.AccessKeyID != want {
			t.Errorf("%s: key %q, %v", what, c.AccessKeyID, err)
		}
	}
	const key = "incoming/1"
	complete := func() error {
		id, err := b.CreateMultipart(t.Context(), key, "image/png", nil)
		if err != nil {
			return err
		}
		part, err := url.Parse(at.Endpoint + "/test/" + key + "?partNumber=1&uploadId=" + url.QueryEscape(id))
		if err != nil {
			return err
		}
		u, err := sigv4.NewSigner(at.Region).Presign(signerKey, time.Now(), sigv4.Request{Method: http.MethodPut, URL: part, Expires: time.Minute})
		if err != nil {
			return err
		}
		put(t, u, "the only part")
		parts, err := b.Parts(t.Context(), key, id)
		if err != nil {
			return err
		}
		return b.CompleteMultipart(t.Context(), key, id, parts)
	}
	if err := complete(); err != nil {
		t.Fatal(err)
	}
	if o, err := b.Head(t.Context(), key); err != nil || o.Size != int64(len("the only part")) {
		t.Errorf("head: %+v, %v", o, err)
	}
	begun, err := b.CreateMultipart(t.Context(), "incoming/2", "image/png", nil)
	if err != nil {
		t.Fatal(err)
	}
	if list, err := b.Multiparts(t.Context(), "incoming/", postern.MultipartUpload{}, 10); err != nil || len(list) != 1 {
		t.Errorf("unfinished: %v, %v", list, err)
	}
	for what, err := range map[string]error{
		"abort": b.AbortMultipart(t.Context(), "incoming/2", begun), "delete": b.Delete(t.Context(), key),
		"put": b.Put(t.Context(), "images/1/a", "image/png", []byte("x")), "tidy": b.Delete(t.Context(), "images/1/a"),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := b.Put(t.Context(), key, "image/png", []byte("x")); err == nil {
		t.Error("the worker's key writes below incoming/")
	}
	conf.Signer = nil
	if b, err = s3.New(t.Context(), conf); err != nil {
		t.Fatal(err)
	}
	if err := complete(); err == nil {
		t.Error("an upload in parts was begun without the signer's key")
	}
}

// The two keys of a file in AWS's form, by profile, whatever the environment has.
func TestSigner_Profiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	text := "[default]\naws_access_key_id = DEFAULTKEY\naws_secret_access_key = s0\n" +
		"[site-worker]\naws_access_key_id = WORKERKEY\naws_secret_access_key = s1\n[site-signer]\naws_access_key_id = SIGNERKEY\naws_secret_access_key = s2\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "ELSEWHERE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s3")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	for name, c := range map[string]struct {
		conf           s3.Config
		worker, signer string
	}{
		"both":               {s3.Config{CredentialsFile: file, Profile: "site-worker", Signer: &s3.Signer{CredentialsFile: file, Profile: "site-signer"}}, "WORKERKEY", "SIGNERKEY"},
		"one for both":       {s3.Config{CredentialsFile: file, Profile: "site-worker"}, "WORKERKEY", "WORKERKEY"},
		"the file's default": {s3.Config{CredentialsFile: file}, "DEFAULTKEY", "DEFAULTKEY"},
		"the environment":    {s3.Config{Signer: &s3.Signer{CredentialsFile: file, Profile: "site-signer"}}, "ELSEWHERE", "SIGNERKEY"},
	} {
		t.Run(name, func(t *testing.T) {
			c.conf.Bucket = "photos"
			b, err := s3.New(t.Context(), c.conf)
			if err != nil {
				t.Fatal(err)
			}
			wantKey(t, b, "worker", c.worker)
			if s, err := b.SigningCredentials(t.Context()); err != nil || s.AccessKeyID != c.signer {
				t.Errorf("signer: key %q, %v; want %s", s.AccessKeyID, err, c.signer)
			}
			if from, err := b.SigningSource(t.Context()); err != nil || !strings.HasPrefix(from, "SharedConfigCredentials: "+file) && c.signer != "ELSEWHERE" {
				t.Errorf("signer is from %q, %v", from, err)
			}
		})
	}
	_, err := s3.New(t.Context(), s3.Config{Bucket: "photos", CredentialsFile: file, Profile: "nobody"})
	if err == nil || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("a profile that is not there: %v", err)
	}
}

func put(t *testing.T, u, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, u, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
}
