// Package examples has small programs that use Postern; this runs them.
package examples

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"postern.example/postern/internal/imaging/photo"
	"postern.example/postern/posterntest"
	"postern.example/postern/sigv4"
)

// build makes a program of one folder.
func build(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-o", path, "./"+name).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// start runs a program until the test ends and returns the URL that it prints.
func start(t *testing.T, key sigv4.Credentials, path string, args ...string) string {
	t.Helper()
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.SecretAccessKey)
	cmd.Dir = t.TempDir()
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		hung := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
		defer hung.Stop()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s ended with %v", path, err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`http://\S+`).FindString(line)
}

type upload struct {
	ID    string
	State string
	Grant *posterntest.Grant
}

func call(t *testing.T, c *http.Client, method, url, body string) (u upload) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 400 {
		t.Fatalf("%s %s: %d %s %v", method, url, res.StatusCode, doc, err)
	}
	if err := json.Unmarshal(doc, &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// send sends one picture through the API at a URL.
func send(t *testing.T, c *http.Client, api string) {
	t.Helper()
	up := call(t, c, "POST", api+"/uploads", `{"filename":"p.jpg","type":"image/jpeg"}`)
	form, contentType := posterntest.Form(up.Grant, photo.JPEG(photo.Options{Width: 300, Height: 200}))
	res, err := c.Post(up.Grant.URL, contentType, bytes.NewReader(form))
	if err != nil || res.StatusCode != http.StatusNoContent {
		t.Fatal(res, err)
	}
	res.Body.Close()
	call(t, c, "POST", api+"/uploads/"+up.ID+"/complete", "{}")
	posterntest.Eventually(t, "the upload is ready", func() bool {
		return call(t, c, "GET", api+"/uploads/"+up.ID, "").State == "ready"
	})
}

func TestApp(t *testing.T) {
	at := start(t, sigv4.Credentials{}, build(t, "app"), "-listen", "127.0.0.1:0", "-bucket-listen", "127.0.0.1:0")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	alice := &http.Client{Jar: jar}
	res, err := http.Post(at+"/gate/uploads", "application/json", strings.NewReader(`{"type":"image/png"}`))
	if err != nil || res.StatusCode != http.StatusUnauthorized {
		t.Errorf("somebody who is not signed in: %v %v", res, err)
	}
	for _, path := range []string{"/", "/gate/postern.js"} {
		res, err := alice.Get(at + path)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(path, res, err)
		}
		res.Body.Close()
	}
	send(t, alice, at+"/gate")
}

func TestBucket(t *testing.T) {
	own := posterntest.StartBucket(t, posterntest.BucketConfig{Buckets: []string{"photos"}})
	at := start(t, own.Key, build(t, "bucket"), "-listen", "127.0.0.1:0", "-bucket", "photos", "-region", own.Region, "-endpoint", own.Endpoint)
	send(t, http.DefaultClient, at)
}

func TestSign(t *testing.T) {
	cmd := exec.Command(build(t, "sign"))
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=secret")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"  x-amz-signature=", "  https://photos.s3.eu-central-1.amazonaws.com/incoming/2?X-Amz-", "  3: https://"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("it does not print %q:\n%s", want, out)
		}
	}
}
