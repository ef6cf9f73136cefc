package s3_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern.example/postern/posterntest"
	"postern.example/postern/s3"
	"postern.example/postern/sigv4"
)

// openChain opens a bucket with the credentials that the environment has.
func openChain(t *testing.T, now func() time.Time, told *logs) *s3.Bucket {
	t.Helper()
	b, err := s3.New(t.Context(), s3.Config{Bucket: "photos", Now: now, Logger: told.logger()})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantKey(t *testing.T, b *s3.Bucket, when, id string) sigv4.Credentials {
	t.Helper()
	c, err := b.Credentials(t.Context())
	if err != nil || c.AccessKeyID != id {
		t.Errorf("%s: key %q, %v; want %s", when, c.AccessKeyID, err, id)
	}
	return c
}

// Temporary credentials of every source: used until they end, and replaced
// before, while nobody waits.
func TestThreat25_CredentialsAreRefreshed(t *testing.T) {
	for name, setup := range sources() {
		t.Run(name, func(t *testing.T) {
			const life = 32 * time.Minute // under an hour in all: that is what the SDK makes of an instance's
			src := startSource(t, life)
			named := setup(t, src.URL)
			var told logs
			b := openChain(t, src.clock, &told)
			if n := src.count(); n != 0 {
				t.Errorf("New has fetched %d times", n)
			}
			begun := src.clock()
			at := func(d time.Duration) { src.set(func() { src.now = begun.Add(d) }) }

			c := wantKey(t, b, "at first", "KEY1")
			if c.SecretAccessKey != "SECRET1" || c.SessionToken != "TOKEN1" || !c.Expires.Equal(begun.Add(life)) {
				t.Errorf("secret %q, token %q, expires %v, want %v", c.SecretAccessKey, c.SessionToken, c.Expires, begun.Add(life))
			}
			if s, err := b.CredentialSource(t.Context()); err != nil || s != named {
				t.Errorf("source %q, %v; want %s", s, err, named)
			}
			at(16 * time.Minute)
			wantKey(t, b, "16 minutes before the end", "KEY1")
			if n := src.count(); n != 1 {
				t.Errorf("%d fetches with 16 minutes left", n)
			}

			// 14 minutes before the end, and the source is slow.
			gate := make(chan struct{})
			src.set(func() { src.gate = gate })
			at(18 * time.Minute)
			for range 100 {
				wantKey(t, b, "while it is refreshed", "KEY1")
			}
			posterntest.Eventually(t, "a fetch", func() bool { return src.count() == 2 })
			src.set(func() { src.gate = nil })
			close(gate)
			posterntest.Eventually(t, "new keys", func() bool {
				c, err := b.Credentials(t.Context())
				return err == nil && c.AccessKeyID == "KEY2" && c.Expires.Equal(begun.Add(18*time.Minute+life))
			})

			// Then it refuses. The old ones do until they end.
			end := 18*time.Minute + life
			src.set(func() { src.refuse = true })
			at(end - 10*time.Minute)
			wantKey(t, b, "10 minutes before the end", "KEY2")
			posterntest.Eventually(t, "a refused fetch", func() bool { return strings.Contains(told.String(), "still good") })
			failed := src.count()
			for range 20 {
				wantKey(t, b, "at once after that", "KEY2")
				src.ask(t) // takes as long as a fetch would
			}
			if n := src.count(); n != failed {
				t.Errorf("%d more fetches within the same second", n-failed)
			}
			at(end - time.Second)
			wantKey(t, b, "one second before the end", "KEY2")
			posterntest.Eventually(t, "another fetch", func() bool { return src.count() > failed })
			at(end)
			if c, err := b.Credentials(t.Context()); err == nil {
				t.Errorf("at the end: %v, no error", c)
			} else if strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "TOKEN") || strings.Contains(err.Error(), webToken) {
				t.Errorf("the error tells a secret: %v", err)
			}
			failed = src.count()
			for range 5 {
				if c, err := b.Credentials(t.Context()); err == nil {
					t.Errorf("after the end: %v, no error", c)
				}
			}
			if n := src.count(); n > failed+1 { // the first answer may be that of a fetch begun before the end
				t.Errorf("%d more fetches within the same second", n-failed)
			}

			src.set(func() { src.refuse = false })
			at(end + 2*time.Second)
			c, err := b.Credentials(t.Context())
			if err != nil || c.AccessKeyID != fmt.Sprint("KEY", src.count()) {
				t.Errorf("when it is well again: %v, %v", c, err)
			}
			for _, secret := range []string{"SECRET", "TOKEN1", "TOKEN2", webToken, ssoToken, authToken, "an-imds-token"} {
				if strings.Contains(told.String(), secret) {
					t.Errorf("%s is in the log:\n%s", secret, told.String())
				}
			}
			if src.wrong != "" {
				t.Errorf("a request was wrong: %s", src.wrong)
			}
		})
	}
}

// Many callers, none with a key yet: one fetch. One that leaves does not take
// the others' key with it.
func TestCredentialsAreFetchedOnce(t *testing.T) {
	src := startSource(t, time.Hour)
	sources()["container"](t, src.URL)
	src.gate = make(chan struct{})
	var told logs
	b := openChain(t, src.clock, &told)

	impatient, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := b.Credentials(impatient)
		left <- err
	}()
	posterntest.Eventually(t, "a fetch", func() bool { return src.count() == 1 })
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one who left: %v", err)
	}
	src.set(func() { src.now = src.now.Add(10 * time.Second) }) // however long it takes
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { wantKey(t, b, "waiting", "KEY1") })
	}
	close(src.gate)
	all.Wait()
	if n := src.count(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

// Lives that are shorter than the window are refreshed at their half; keys
// without an end never.
func TestCredentialsOfOtherLives(t *testing.T) {
	src := startSource(t, 2*time.Minute)
	sources()["container"](t, src.URL)
	var told logs
	b := openChain(t, src.clock, &told)
	wantKey(t, b, "at first", "KEY1")
	src.set(func() { src.now = src.now.Add(59 * time.Second) })
	wantKey(t, b, "before half of it", "KEY1")
	if n := src.count(); n != 1 {
		t.Errorf("%d fetches in the first half of a life", n)
	}
	src.set(func() { src.now, src.life = src.now.Add(2*time.Second), 0 })
	wantKey(t, b, "after half of it", "KEY1")
	posterntest.Eventually(t, "new keys", func() bool {
		c, err := b.Credentials(t.Context())
		return err == nil && c.AccessKeyID == "KEY2" && c.Expires.IsZero()
	})
	src.set(func() { src.now = src.now.Add(1000 * time.Hour) })
	wantKey(t, b, "without an end", "KEY2")
	if n := src.count(); n != 2 {
		t.Errorf("%d fetches for keys without an end", n)
	}
}

// A clock that was set back makes nobody wait until it is later again.
func TestCredentialsAndClockSetBack(t *testing.T) {
	src := startSource(t, time.Hour)
	sources()["container"](t, src.URL)
	src.refuse = true
	var told logs
	b := openChain(t, src.clock, &told)
	if c, err := b.Credentials(t.Context()); err == nil {
		t.Errorf("%v, no error", c)
	}
	src.set(func() { src.now, src.refuse = src.now.Add(-3*time.Hour), false })
	wantKey(t, b, "three hours earlier", "KEY2")
}

// A clock that is hours ahead sees credentials end before they come. They are
// used all the same: the bucket's answer shows which clock is right.
func TestCredentialsAndOurWrongClock(t *testing.T) {
	endpoint := bucketAt(t, 0)
	src := startSource(t, time.Hour)
	sources()["container"](t, src.URL)
	var told logs
	var passed atomic.Int64
	ahead := func() time.Time { return time.Now().Add(5*time.Hour + time.Duration(passed.Load())) }
	b, err := s3.New(t.Context(), s3.Config{Bucket: "photos", Endpoint: endpoint, PathStyle: true, Now: ahead, Logger: told.logger()})
	if err != nil {
		t.Fatal(err)
	}
	wantKey(t, b, "at first", "KEY1")
	if !strings.Contains(told.String(), "our clock is wrong") {
		t.Errorf("nothing is said of it: %s", told.String())
	}
	if err := b.Ping(t.Context()); err == nil { // but its answer tells the time
		t.Error("the bucket knows the key")
	}
	if skew := b.Skew(); (skew + 5*time.Hour).Abs() > 3*time.Second {
		t.Fatalf("a skew of %v", skew)
	}
	n := src.count()
	for range 3 {
		passed.Add(int64(2 * time.Second))
		wantKey(t, b, "by the bucket's clock", fmt.Sprint("KEY", n))
	}
	if m := src.count(); m != n {
		t.Errorf("%d more fetches", m-n)
	}
}

// The AWS chain: environment first, as every AWS tool does it; then files.
func TestChain(t *testing.T) {
	onlyThis(t, "")
	write(t, os.Getenv("AWS_SHARED_CREDENTIALS_FILE"), "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = from the file\n"+
		"[other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = from the file\n")
	var told logs
	check := func(id, token, source string) {
		t.Helper()
		b := openChain(t, nil, &told)
		c := wantKey(t, b, source, id)
		if s, err := b.CredentialSource(t.Context()); err != nil || !strings.HasPrefix(s, source) {
			t.Errorf("source %q, %v; want %s", s, err, source)
		}
		if c.SessionToken != token || !c.Expires.IsZero() || b.Region() != "eu-west-3" || b.Name() != "photos" {
			t.Errorf("%v %v %s %s", c, c.Expires, b.Region(), b.Name())
		}
	}
	check("AKIDFILE", "", "SharedConfigCredentials")
	t.Setenv("AWS_PROFILE", "other")
	check("AKIDOTHER", "", "SharedConfigCredentials")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "from the environment")
	t.Setenv("AWS_SESSION_TOKEN", "token")
	check("AKIDENV", "token", "EnvConfigCredentials")

	b := open(t, "http://127.0.0.1:1", "photos", testKey)
	if s, err := b.CredentialSource(t.Context()); err != nil || s != "Config.Credentials" {
		t.Errorf("source %q, %v", s, err)
	}
	wantKey(t, b, "as given", testKey.AccessKeyID)
}

// Nobody has credentials: an error, and soon.
func TestNoCredentials(t *testing.T) {
	onlyThis(t, "")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	var told logs
	b := openChain(t, nil, &told)
	for range 3 {
		if c, err := b.Credentials(t.Context()); err == nil {
			t.Errorf("%v, no error", c)
		}
		if _, err := b.CredentialSource(t.Context()); err == nil {
			t.Error("a source, and no error")
		}
	}
	if n := strings.Count(told.String(), "level=WARN"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, told.String())
	}
}

// A profile's credential_process. What it writes is never repeated.
func TestCredentialProcess(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has no cat")
	}
	home := onlyThis(t, "")
	file := filepath.Join(home, "keys.json")
	write(t, os.Getenv("AWS_CONFIG_FILE"), "[profile gate]\ncredential_process = cat '"+file+"'\n")
	t.Setenv("AWS_PROFILE", "gate")
	src := startSource(t, 0) // only for its clock
	var told logs
	b := openChain(t, src.clock, &told)
	keys := func(n int, end time.Time) string {
		return fmt.Sprintf(`{"Version":1,"AccessKeyId":"KEY%d","SecretAccessKey":"SECRET","SessionToken":"TOKEN","Expiration":%q}`, n, end.UTC().Format(time.RFC3339))
	}
	end := src.clock().Add(time.Hour)
	for _, bad := range []string{"", `{"SecretAccessKey":"SECRET"`, `{"Version":"SECRET"}`, `{"Version":1,"SecretAccessKey":"SECRET"}`, `"SECRET"`, `SECRET`, `{"Expiration":"SECRET","AccessKeyId":"A"}`} {
		write(t, file, bad)
		if c, err := b.Credentials(t.Context()); err == nil {
			t.Errorf("%s: %v, no error", bad, c)
		} else if strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: the error tells a secret: %v", bad, err)
		}
		src.set(func() { src.now = src.now.Add(2 * time.Second) })
	}
	write(t, file, keys(1, end))
	if c := wantKey(t, b, "at first", "KEY1"); !c.Expires.Equal(end) {
		t.Errorf("expires %v, want %v", c.Expires, end)
	}
	if s, err := b.CredentialSource(t.Context()); err != nil || s != "ProcessProvider" {
		t.Errorf("source %q, %v", s, err)
	}
	write(t, file, keys(2, end.Add(time.Hour)))
	src.set(func() { src.now = end.Add(-14 * time.Minute) })
	wantKey(t, b, "14 minutes before the end", "KEY1")
	posterntest.Eventually(t, "new keys", func() bool {
		c, err := b.Credentials(t.Context())
		return err == nil && c.AccessKeyID == "KEY2"
	})
	if strings.Contains(told.String(), "SECRET") || strings.Contains(told.String(), "TOKEN") {
		t.Errorf("a secret is in the log:\n%s", told.String())
	}
}
