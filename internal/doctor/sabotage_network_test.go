package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern.example/postern"
)

func TestSabotage_Region(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{region: "eu-west-1"})
	if f := b.run().first(t, "network.region", "signed for the region us-east-1", "is in eu-west-1"); f.Cure != "--region eu-west-1" {
		t.Errorf("cure %q", f.Cure)
	}
}

func TestSabotage_NoSuchBucket(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	b.Config.URL, b.Config.Bucket, b.Config.Embedded = b.s3.Endpoint+"/pohtos", "pohtos", false
	f := b.run().first(t, "network.region", "There is no bucket pohtos")
	if !strings.HasPrefix(f.Cure, "postern setup --bucket pohtos --region us-east-1 --endpoint "+b.s3.Endpoint) {
		t.Errorf("cure %q", f.Cure)
	}
}

// answers stands before a bucket and answers for it.
func answers(h http.HandlerFunc) func(http.Handler) http.Handler {
	return func(http.Handler) http.Handler { return drained(h) }
}

func s3Error(w http.ResponseWriter, status int, code, message, more string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message>%s<RequestId>REQUEST1</RequestId></Error>", code, message, more)
}

func TestSabotage_Answers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		id     string
		words  []string
	}{
		{
			"moved for ever, as AWS says it",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
				s3Error(w, 301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.", "")
			},
			"network.region",
			[]string{"that of another region than the bucket's, eu-west-1"},
		},
		{
			"moved for now, as AWS says it of new buckets",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://photos.s3-eu-west-1.amazonaws.com/")
				s3Error(w, 307, "TemporaryRedirect", "Please re-send this request to the specified temporary endpoint.", "<Region>eu-west-1</Region>")
			},
			"network.region",
			[]string{"The bucket is new"},
		},
		{
			"a proxy that leads on to https",
			func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "https://"+r.Host+r.URL.Path, http.StatusMovedPermanently)
			},
			"network.region",
			[]string{"leads on to https://"},
		},
		{
			"another region, told in a header only",
			func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Amz-Bucket-Region", "ap-south-1")
				s3Error(w, 403, "AccessDenied", "Access Denied", "")
			},
			"network.region",
			[]string{"The bucket is in ap-south-1"},
		},
		{
			"not S3",
			func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "<!doctype html><title>Console</title>")
			},
			"network.region",
			[]string{"is not an S3 server"},
		},
		{
			"nothing there",
			func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) },
			"network.region",
			[]string{"may not be the bucket's"},
		},
		{
			"a gateway without a bucket behind",
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
			"network.reach",
			[]string{"does not reach it"},
		},
		{
			"too busy",
			func(w http.ResponseWriter, _ *http.Request) {
				s3Error(w, 503, "SlowDown", "Please reduce your request rate.", "")
			},
			"network.reach",
			[]string{"too much to do"},
		},
		{
			"hangs up",
			func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					conn.Close()
				}
			},
			"network.reach",
			[]string{"ended the connection"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			admit(t, ward{front: answers(c.answer)}).run().first(t, c.id, c.words...)
		})
	}
}

func TestSabotage_Silence(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	b := admit(t, ward{front: answers(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	})})
	t.Cleanup(func() { close(over) })
	b.Config.HTTP.Timeout = 100 * time.Millisecond
	b.run().first(t, "network.reach", "did not answer in time")
}

func TestSabotage_Address(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	port := strings.TrimPrefix(b.s3.Endpoint, "http://127.0.0.1")
	for _, c := range []struct {
		name, url string
		origins   []string
		id        string
		words     []string
	}{
		{"no such host", "http://bucket.invalid/photos", nil, "network.dns", []string{"bucket.invalid"}},
		{"nobody listens", "http://" + closed + "/photos", nil, "network.reach", []string{"Nothing listens at " + closed}},
		{"https where it is http", "https://127.0.0.1" + port + "/photos", nil, "network.reach", []string{"does not speak TLS"}},
		{"an address of this machine only", b.s3.Endpoint + "/photos", []string{testOrigin}, "network.reach", []string{"of this machine only"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := *b
			one.t, one.Config.URL = t, c.url
			if c.origins != nil {
				one.Config.Origins = c.origins
			}
			one.run().first(t, c.id, c.words...)
		})
	}
}

func TestSabotage_Clock(t *testing.T) {
	t.Parallel()
	b := admit(t, ward{})
	for _, c := range []struct {
		name  string
		off   time.Duration
		want  Status
		words string
	}{
		{"behind", -20 * time.Minute, Fault, "20m0s behind the bucket's, which refuses"},
		{"ahead", 20 * time.Minute, Fault, "20m0s ahead of the bucket's, which refuses"},
		{"a little", 2 * time.Minute, Warn, "2m0s ahead of the bucket's."},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := *b
			one.t = t
			one.Config.Now = func() time.Time { return time.Now().Add(c.off) }
			r := one.run("network", "credentials", "cors", "settings")
			// A second more or less is the time that Date leaves open.
			words := strings.SplitAfterN(c.words, "s ", 2)
			if f := r.first(t, "network.clock", words[1]); f.Status != c.want {
				t.Errorf("%s, want %s", f.Status, c.want)
			}
			for _, f := range r.Findings { // the rest is asked by the bucket's clock
				if f.ID != "network.clock" && (f.Status == Fault || f.Status == Warn) {
					t.Errorf("%s, too: %s", f.ID, f.Got)
				}
			}
		})
	}
}

// certificate makes a certificate that signs itself.
func certificate(t *testing.T, from, to time.Time, names ...string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: from, NotAfter: to, DNSNames: names,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if len(names) == 0 {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

func TestSabotage_TLS(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const day = 24 * time.Hour
	for _, c := range []struct {
		name     string
		from, to time.Time
		names    []string
		trusted  bool
		words    []string
		status   Status
	}{
		{"expired", now.Add(-90 * day), now.Add(-day), nil, true, []string{"has ended on " + now.Add(-day).UTC().Format(time.DateOnly)}, Fault},
		{"not yet", now.Add(day), now.Add(90 * day), nil, true, []string{"only, or this machine's clock is behind"}, Fault},
		{"ends soon", now.Add(-87 * day), now.Add(3 * day), nil, true, []string{"ends on " + now.Add(3*day).UTC().Format(time.DateOnly)}, Warn},
		{"another name", now.Add(-day), now.Add(90 * day), []string{"bucket.example", "www.bucket.example"}, true, []string{"not for 127.0.0.1, but for bucket.example, www.bucket.example"}, Fault},
		{"trusted by nobody", now.Add(-day), now.Add(90 * day), nil, false, []string{"signed by nobody whom this machine trusts"}, Fault},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cert, pool := certificate(t, c.from, c.to, c.names...)
			server := httptest.NewUnstartedServer(http.NotFoundHandler())
			server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			server.StartTLS()
			t.Cleanup(server.Close)
			if !c.trusted {
				pool = x509.NewCertPool()
			}
			conf := healthyConfig(server.URL + "/photos")
			conf.HTTP = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
			conf.Only = []string{"network.tls"}
			r, err := Run(t.Context(), conf, nil)
			if err != nil {
				t.Fatal(err)
			}
			if f := r.first(t, "network.tls", c.words...); f.Status != c.status {
				t.Errorf("status %s", f.Status)
			}
		})
	}
	t.Run("all is well by https", func(t *testing.T) {
		t.Parallel()
		b := admit(t, ward{tls: true})
		for _, f := range b.run("network", "credentials", "cors").Findings {
			if f.Status == Fault || f.Status == Warn {
				t.Errorf("%+v", f)
			}
		}
	})
}

// What the network cannot be made to do here.
func TestUnreached(t *testing.T) {
	t.Parallel()
	aws, _ := postern.ProviderByName("aws")
	conf := healthyConfig("https://my.photos.s3.eu-central-1.amazonaws.com")
	conf.Bucket, conf.Provider, conf.Embedded = "my.photos", aws, false
	x, err := newExam(conf)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := certificate(t, time.Now(), time.Now(), "*.s3.eu-central-1.amazonaws.com")
	cause, cure := x.unreached(x509.HostnameError{Certificate: cert.Leaf, Host: x.base.Hostname()})
	if !strings.Contains(cause, "name has a dot") || !strings.Contains(cause, "*.s3.eu-central-1.amazonaws.com") || !strings.Contains(cure, "--path-style") {
		t.Error(cause, cure)
	}
	if cause, _ = x.unreached(&net.DNSError{IsNotFound: true}); !strings.Contains(cause, "region or the bucket's name is mistyped") {
		t.Error(cause)
	}
	// Plain http over a network, from pages that are encrypted and that are not.
	conf.URL, conf.Bucket = "http://192.0.2.1:9000/photos", "photos"
	for origin, want := range map[string]Finding{
		"https://app.example": {Status: Fault, Cause: "mixed content"},
		"http://app.example":  {Status: Warn, Cause: "everybody on the way"},
	} {
		conf.Origins = []string{origin}
		x, err := newExam(conf)
		if err != nil {
			t.Fatal(err)
		}
		if f := x.plain(Finding{}); f.Status != want.Status || !strings.Contains(f.Cause, want.Cause) || f.Cure == "" {
			t.Errorf("%+v", f)
		}
	}
}
