package doctor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
	"postern.example/postern/sigv4"
)

func TestSabotage_Credentials(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	signer, worker := signerKey(), workerKey()
	with := func(c sigv4.Credentials, change func(*sigv4.Credentials)) Credentials {
		change(&c)
		return always(c)
	}
	minio, _ := postern.ProviderByName("minio")
	for _, c := range []struct {
		name  string
		spoil func(*Config)
		id    string
		words []string
		want  Status
	}{
		{"the signer's secret is wrong", func(c *Config) {
			c.Signer = with(signer, func(k *sigv4.Credentials) { k.SecretAccessKey += "x" })
		}, "credentials.signer", []string{"secret key is not that of this access key"}, Fault},
		{"the worker's secret is wrong", func(c *Config) {
			c.Worker = with(worker, func(k *sigv4.Credentials) { k.SecretAccessKey = k.SecretAccessKey[1:] })
		}, "credentials.worker", []string{"secret key is not that of this access key"}, Fault},
		{"nobody knows the signer", func(c *Config) {
			c.Signer = with(signer, func(k *sigv4.Credentials) { k.AccessKeyID = "AKIAIOSFODNN7EXAMPLE" })
		}, "credentials.signer", []string{"knows no such access key"}, Fault},
		{"nobody knows the worker", func(c *Config) {
			c.Worker = with(worker, func(k *sigv4.Credentials) { k.AccessKeyID = "AKIAIOSFODNN7EXAMPLE" })
		}, "credentials.worker", []string{"knows no such access key"}, Fault},
		{"a token of another key", func(c *Config) {
			c.Signer = with(signer, func(k *sigv4.Credentials) { k.SessionToken = "left-over" })
		}, "credentials.signer", []string{"session token is not that of this key"}, Fault},
		{"a temporary key that has run out", func(c *Config) {
			c.Worker = with(worker, func(k *sigv4.Credentials) { k.Expires = time.Now().Add(-time.Minute) })
		}, "credentials.worker", []string{"temporary key has run out"}, Fault},
		{"a temporary key that is about to", func(c *Config) {
			c.Signer = with(signer, func(k *sigv4.Credentials) { k.Expires = time.Now().Add(90 * time.Second) })
		}, "credentials.signer", []string{"The key ends in 1m"}, Warn},
		{"no key at all", func(c *Config) {
			c.Signer = func(context.Context) (sigv4.Credentials, error) {
				return sigv4.Credentials{}, errors.New("no EC2 IMDS role found")
			}
		}, "credentials.signer", []string{"no key that signs uploads", "roles give one"}, Fault},
		{"an empty key", func(c *Config) { c.Worker = always(sigv4.Credentials{}) }, "credentials.worker", []string{"no key for the worker"}, Fault},
		{"one key for both", func(c *Config) { c.Signer, c.Same = c.Worker, true }, "credentials.apart", []string{"One key signs"}, Warn},
		{"one key for both, and nobody said so", func(c *Config) { c.Signer = c.Worker }, "credentials.apart", []string{"One key signs"}, Warn},
		{"one key for both on MinIO", func(c *Config) { c.Signer, c.Same, c.Provider = c.Worker, true, minio }, "credentials.apart", []string{"x-amz-copy-source", "MinIO"}, Fault},
		{"one key for both on MinIO, by forms only", func(c *Config) {
			c.Signer, c.Same, c.Provider, c.Transfers = c.Worker, true, minio, []postern.Transfer{postern.Post}
		}, "credentials.apart", []string{"One key signs"}, Warn},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := *b
			one.t = t
			c.spoil(&one.Config)
			if f := one.run("network", "credentials", "cors").first(t, c.id, c.words...); f.Status != c.want {
				t.Errorf("status %s, want %s", f.Status, c.want)
			}
		})
	}
}

// A server's own words about keys, where the embedded bucket never says them.
func TestSabotage_CredentialsByAWS(t *testing.T) {
	t.Parallel()
	for code, words := range map[string]string{
		"ExpiredToken":         "temporary key has run out",
		"InvalidAccessKeyId":   "knows no such access key",
		"RequestTimeTooSkewed": "more than 15 minutes apart",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			b := admit(t, ward{front: func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if strings.Contains(r.Header.Get("Authorization"), signerKey().AccessKeyID) {
						s3Error(w, 403, code, "no", "")
						return
					}
					next.ServeHTTP(w, r)
				})
			}})
			if f := b.run("network", "credentials").first(t, "credentials.signer", words); f.RequestID != "REQUEST1" {
				t.Errorf("request %q", f.RequestID)
			}
		})
	}
}

// What is said of keys that are good.
func TestKinds(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	b.Config.Source = func(context.Context) (string, error) { return "profile photos-worker", nil }
	k := workerKey()
	k.Expires = time.Now().Add(6 * time.Hour)
	b.Config.Worker = always(k)
	for _, f := range b.run("credentials.worker").Findings {
		if f.Status != OK || !strings.Contains(f.Got, "from profile photos-worker, good for 5h59m") && !strings.Contains(f.Got, "6h0m0s") {
			t.Errorf("%+v", f)
		}
	}
	for id, want := range map[string]string{"ASIAX": "a temporary key", "AKIAX": "a long-lived key of an IAM user", "X": "a long-lived key"} {
		if got := kindOf(sigv4.Credentials{AccessKeyID: id}); got != want {
			t.Errorf("%s is %s", id, got)
		}
	}
	// A role does both, and that is as setup --role makes it.
	k.SessionToken = "t"
	for provider, want := range map[string]Status{"aws": OK, "minio": Fault, "r2": Warn} {
		x, err := newExam(b.Config)
		if err != nil {
			t.Fatal(err)
		}
		x.c.Provider, _ = postern.ProviderByName(provider)
		x.c.Same, x.signer, x.worker = true, k, k
		if f := probeApart(t.Context(), x)[0]; f.Status != want {
			t.Errorf("%s: %+v", provider, f)
		}
	}
}
