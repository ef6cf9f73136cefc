package sigv4_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern.example/postern/sigv4"
)

// Three more independent signers: botocore, the AWS SDK for JavaScript and
// minio-go, each in a process of its own. They are installed by "make clients",
// which sets POSTERN_CLIENTS_REQUIRED: what is missing is a failure then.

const clients = "../internal/s3d/clients"

type otherCase struct {
	Endpoint  string `json:"endpoint"`
	Region    string `json:"region"`
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
	Token     string `json:"token"`
	Bucket    string `json:"bucket"`
	Key       string `json:"key"`
	Type      string `json:"type"`
	Metadata  string `json:"metadata"`
	Size      int64  `json:"size"`
	UploadID  string `json:"upload_id"`
}

func (c *otherCase) credentials() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, SessionToken: c.Token}
}

type otherSigned struct {
	Post map[string]string `json:"post"`
	URLs []struct {
		Method string `json:"method"`
		URL    string `json:"url"`
	} `json:"urls"`
}

// otherCases are hostile keys, types and metadata, with and without a token.
func otherCases(t *testing.T) []otherCase {
	t.Helper()
	doc, err := os.ReadFile(filepath.Join(clients, "testdata", "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	if err := json.Unmarshal(doc, &keys); err != nil {
		t.Fatal(err)
	}
	// minio-go and botocore refuse to sign some that S3 takes.
	keys = slices.DeleteFunc(keys, func(k string) bool {
		return k == ".." || strings.HasPrefix(k, "../") || strings.Contains(k, "/../") || strings.Contains(k, "./") || strings.Contains(k, "${")
	})
	types := []string{"image/png", "image/svg+xml; charset=utf-8", `x/"]},{"acl":"public-read`}
	metadata := []string{"1", "two  spaces", "a,b;c", `q"\`, "<&>", "$x"}
	var cases []otherCase
	for i, key := range keys {
		c := otherCase{
			Endpoint: "https://s3.example", Region: "eu-central-1", AccessKey: "AKIDEXAMPLE", SecretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
			Bucket: "photos", Key: key, Type: types[i%len(types)], Metadata: metadata[i%len(metadata)], Size: int64(i + 1), UploadID: "UP/ID+=~ü",
		}
		if i%2 == 1 {
			c.Token, c.Endpoint, c.Region = "FwoGZ+/==EXAMPLE", "http://127.0.0.1:9000", "us-east-1"
		}
		cases = append(cases, c)
	}
	return cases
}

func TestOtherSigners(t *testing.T) {
	cases := otherCases(t)
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	python := os.Getenv("POSTERN_CLIENTS_PYTHON")
	if python == "" {
		python = "/usr/bin/python3"
	}
	for name, command := range map[string][]string{
		"botocore":   {python, "-B", "python/sign.py"},
		"javascript": {"node", "--no-warnings", "node/sign.mjs"},
		"minio-go":   {"go", "run", "./sign"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
			var out, said bytes.Buffer
			cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = clients, bytes.NewReader(in), &out, &said
			if err := cmd.Run(); err != nil {
				if os.Getenv("POSTERN_CLIENTS_REQUIRED") == "" {
					t.Skipf("SKIPPED: %s does not run here (make clients installs it): %v", name, err)
				}
				t.Fatalf("%v\n%s", err, said.String())
			}
			var signed []otherSigned
			if err := json.Unmarshal(out.Bytes(), &signed); err != nil || len(signed) != len(cases) {
				t.Fatalf("%d answers to %d cases: %v", len(signed), len(cases), err)
			}
			for i, c := range cases {
				// minio-go's policies are not JSON when a text has quotes in it.
				if name != "minio-go" || !strings.ContainsAny(c.Key+c.Type+c.Metadata, `"\\`) {
					theirPost(t, &c, signed[i].Post)
				}
				for _, u := range signed[i].URLs {
					theirURL(t, &c, u.Method, u.URL)
				}
				if len(signed[i].URLs) != 3 {
					t.Errorf("%q: %d URLs", c.Key, len(signed[i].URLs))
				}
			}
		})
	}
}

// theirPost holds their form against our verifier, which signs the policy's text
// with its own key and compares.
func theirPost(t *testing.T, c *otherCase, fields map[string]string) {
	t.Helper()
	f := sigv4.Form{"content-type": c.Type, "x-amz-meta-a": c.Metadata}
	for name, value := range fields {
		f[strings.ToLower(name)] = value
	}
	v := &sigv4.Verifier{Region: c.Region, Now: time.Now, Lookup: func(string) (sigv4.Credentials, bool) { return c.credentials(), true }}
	_, doc, err := v.Post(f)
	if err != nil {
		t.Errorf("%q: form: %v", c.Key, err)
		return
	}
	p, err := sigv4.ParsePolicy(doc)
	if err != nil {
		t.Errorf("%q: policy: %v", c.Key, err)
		return
	}
	if err := p.Evaluate(f, c.Bucket, time.Now()); err != nil {
		t.Errorf("%q: form: %v", c.Key, err)
	}
	f["key"] += "x"
	if err := p.Evaluate(f, c.Bucket, time.Now()); err == nil {
		t.Errorf("%q: another key passes", c.Key)
	}
}

// theirURL signs what their URL says with our signer, and wants their signature.
func theirURL(t *testing.T, c *otherCase, method, text string) {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	said := u.Query()
	at, err := time.Parse(sigv4.TimeFormat, said.Get("X-Amz-Date"))
	if err != nil {
		t.Errorf("%q: %v in %s", c.Key, err, text)
		return
	}
	seconds, err := strconv.Atoi(said.Get("X-Amz-Expires"))
	if err != nil {
		t.Errorf("%q: %v", c.Key, err)
	}
	values := map[string]string{
		"content-type": c.Type, "content-length": strconv.FormatInt(c.Size, 10), "x-amz-meta-a": strings.TrimSpace(c.Metadata),
	}
	header := http.Header{}
	for name := range strings.SplitSeq(said.Get("X-Amz-SignedHeaders"), ";") {
		if name != "host" {
			header.Set(name, values[name])
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), method, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	if header.Get("Content-Length") != "" {
		r.ContentLength = c.Size
	}
	v := &sigv4.Verifier{Region: c.Region, Now: time.Now, Lookup: func(string) (sigv4.Credentials, bool) { return c.credentials(), true }}
	if _, err := v.Request(r); err != nil {
		t.Errorf("%s %q, headers %s: our verifier says %v", method, c.Key, said.Get("X-Amz-SignedHeaders"), err)
	}
	if said.Has("X-Amz-Content-Sha256") {
		return // the SDK for JavaScript says it in the query; we never do
	}
	rest := u.Query()
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token"} {
		rest.Del(name)
	}
	plain := *u
	plain.RawQuery = rest.Encode()
	ours, err := sigv4.NewSigner(c.Region).Presign(c.credentials(), at, sigv4.Request{
		Method: method, URL: &plain, Header: header, Expires: time.Duration(seconds) * time.Second,
	})
	if err != nil {
		t.Errorf("%q: %v", c.Key, err)
		return
	}
	mine, err := url.Parse(ours)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := mine.Query().Get("X-Amz-Signature"), said.Get("X-Amz-Signature"); got != want || want == "" {
		t.Errorf("%s %q, headers %s: our signature is another", method, c.Key, said.Get("X-Amz-SignedHeaders"))
	}
}
