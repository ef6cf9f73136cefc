package clients

import (
	"crypto/md5"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// curl is Debian's, on a site; the SDK makes its bucket and signs for it.
type curl struct {
	*sdk
	dir string
}

func withCurl(t *testing.T, s site) *curl {
	t.Helper()
	leftOut(t, "curl")
	if err := exec.CommandContext(t.Context(), "curl", "--version").Run(); err != nil {
		missing(t, "curl", "apt-get install curl")
	}
	return &curl{sdk: withBucket(t, s), dir: t.TempDir()}
}

// run answers the status and the body.
func (c *curl) run(args ...string) (status, body string) {
	c.t.Helper()
	out := filepath.Join(c.dir, "out")
	must(c.t, os.WriteFile(out, nil, 0o600))
	cmd := exec.CommandContext(c.t.Context(), "curl", append([]string{"-sS", "--path-as-is", "-o", out, "-w", "%{http_code}"}, args...)...)
	cmd.Env = c.site.environment()
	b, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("curl %s: %v\n%s", strings.Join(args, " "), err, b)
	}
	content, err := os.ReadFile(out)
	must(c.t, err)
	return string(b), string(content)
}

// signed lets curl sign what it sends. That the body is not signed has to be
// said for curl 7, which sends no x-amz-content-sha256 on its own.
func (c *curl) signed(args ...string) (status, body string) {
	c.t.Helper()
	return c.run(append([]string{"--aws-sigv4", "aws:amz:" + c.site.region + ":s3", "--user", c.site.id + ":" + c.site.secret, "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"}, args...)...)
}

func (c *curl) file(name string, content []byte) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	must(c.t, os.WriteFile(path, content, 0o600))
	return path
}

func (c *curl) url(key string) string { return c.site.endpoint + "/" + *escaped(c.bucket, key) }

func TestCurlForm(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withCurl(t, s)
		post := func(file string, more ...string) (string, string) {
			conditions := []any{
				[]any{"starts-with", "$key", "q/"}, []any{"content-length-range", 1, 3 << 20}, []any{"starts-with", "$Content-Type", "image/"},
			}
			for _, f := range more {
				if name, value, _ := strings.Cut(f, "="); strings.HasPrefix(name, "success_action_") {
					conditions = append(conditions, map[string]string{name: value})
				}
			}
			signed, err := s3.NewPresignClient(c.Client).PresignPostObject(t.Context(), &s3.PutObjectInput{Bucket: c.name, Key: aws.String("q/${filename}")},
				func(o *s3.PresignPostOptions) { o.Conditions = conditions })
			must(t, err)
			args := []string{"-F", "Content-Type=image/png"}
			for name, value := range signed.Values {
				args = append(args, "-F", name+"="+value)
			}
			return c.run(append(append(append(args, more...), "-F", "file="+file), signed.URL)...)
		}
		cat := c.file("cat.png", []byte("cat"))
		if status, body := post("@" + cat); status != "204" || body != "" {
			t.Errorf("POST: %s %s", status, body)
		}
		equal(t, "content", c.content("q/cat.png"), "cat")
		// Above 1 MiB curl waits for 100 Continue.
		large := pattern(2 << 20)
		status, body := post("@"+c.file("large", large)+";filename=ü large.png;type=image/jpeg", "-F", "success_action_status=201")
		if status != "201" || !strings.Contains(body, "<Key>q/ü large.png</Key>") {
			t.Errorf("POST of 2 MiB: %s %s", status, body)
		}
		equal(t, "content came back", c.content("q/ü large.png") == string(large), true)
		head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: c.name, Key: aws.String("q/ü large.png")})
		must(t, err)
		equal(t, "type, which is the field's and not the part's", *head.ContentType, "image/png")
		if status, _ := post("@"+cat, "-F", "success_action_redirect=https://app.example/done?a=1", "-w", "%{http_code} %{redirect_url}"); !strings.HasPrefix(status, "303 https://app.example/done?a=1&bucket="+c.bucket+"&key=q%2Fcat.png&etag=") {
			t.Errorf("redirect: %s", status)
		}
		for want, args := range map[string][]string{
			"400 EntityTooLarge": {"@" + c.file("huge", pattern(3<<20+1))},
			"400 EntityTooSmall": {"@" + c.file("empty", nil)},
			"403 AccessDenied":   {"@" + cat, "-F", "x-amz-meta-a=1"},
		} {
			status, body := post(args[0], args[1:]...)
			if wantStatus, code, _ := strings.Cut(want, " "); status != wantStatus || !strings.Contains(body, "<Code>"+code+"</Code>") {
				t.Errorf("%s %s, want %s", status, body, want)
			}
		}
	})
}

func TestCurlSigned(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withCurl(t, s)
		small, large := []byte("0123456789"), pattern(2<<20)
		expect := func(want string) func(string, string) string {
			return func(status, body string) string {
				t.Helper()
				if status != want {
					t.Errorf("%s %s, want %s", status, body, want)
				}
				return body
			}
		}
		expect("200")(c.signed("-T", c.file("small", small), c.url("a b ü.txt")))
		expect("200")(c.signed("-T", c.file("large", large), "-H", "Content-Type: image/png", c.url("large")))
		equal(t, "content", expect("200")(c.signed(c.url("a b ü.txt"))), string(small))
		equal(t, "content came back", expect("200")(c.signed(c.url("large"))) == string(large), true)
		equal(t, "range", expect("206")(c.signed("-r", "2-4", c.url("a b ü.txt"))), "234")
		expect("304")(c.signed("-H", "If-None-Match: *", c.url("large")))
		expect("200")(c.signed("-I", c.url("large")))
		expect("404")(c.signed("-I", c.url("none")))
		if list := expect("200")(c.signed(s.endpoint + "/" + c.bucket + "?list-type=2&prefix=a")); !strings.Contains(list, "<Key>a b ü.txt</Key>") || strings.Contains(list, "large") {
			t.Errorf("list is %s", list)
		}
		expect("200")(c.signed("-X", "PUT", "-H", "x-amz-copy-source: /"+*escaped(c.bucket, "large"), c.url("copy")))
		equal(t, "copy", c.content("copy") == string(large), true)
		tags := `<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>`
		sum := md5.Sum([]byte(tags))
		expect("200")(c.signed("-X", "PUT", "-H", "Content-MD5: "+base64.StdEncoding.EncodeToString(sum[:]), "-d", tags, c.url("copy")+"?tagging="))
		if got := expect("200")(c.signed(c.url("copy") + "?tagging=")); !strings.Contains(got, "<Key>k</Key><Value>v</Value>") {
			t.Errorf("tags are %s", got)
		}
		expect("204")(c.signed("-X", "DELETE", c.url("copy")))
		equal(t, "copy is there", c.exists("copy"), false)
		if body := expect("403")(c.run(c.url("large"))); !strings.Contains(body, "<Code>AccessDenied</Code>") {
			t.Errorf("unsigned: %s", body)
		}
		if body := expect("403")(c.run("--aws-sigv4", "aws:amz:"+s.region+":s3", "--user", s.id+":wrong", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", c.url("large"))); !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
			t.Errorf("signed by another: %s", body)
		}
	})
}

func TestCurlPresigned(t *testing.T) {
	each(t, func(t *testing.T, s site) {
		c := withCurl(t, s)
		signer := s3.NewPresignClient(c.Client)
		for _, key := range []string{"k", "../a b+ü", "large"} {
			content := []byte(key)
			if key == "large" {
				content = pattern(2 << 20)
			}
			put, err := signer.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: c.name, Key: &key})
			must(t, err)
			if status, body := c.run("-T", c.file("up", content), put.URL); status != "200" {
				t.Fatalf("PUT: %s %s", status, body)
			}
			get, err := signer.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: c.name, Key: &key})
			must(t, err)
			if status, body := c.run(get.URL); status != "200" || body != string(content) {
				t.Errorf("GET: %s, %d bytes", status, len(body))
			}
		}
	})
}
