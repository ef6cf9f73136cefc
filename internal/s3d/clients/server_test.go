package clients

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// site is an S3 that the clients are pointed at.
type site struct {
	name             string // of its subtests
	endpoint, region string
	id, secret       string
	ca               string         // the file of roots; empty for http
	roots            *x509.CertPool // what the certificate is trusted by; nil: what the system trusts
	http             *http.Client   // of tests that use no SDK
	ours             bool
}

var sites []site //nolint:gochecknoglobals // TestMain has no other way to tell

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "postern-clients-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ends, err := open(dir)
	// From here on nothing around us leads a client elsewhere.
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			os.Unsetenv(name) //nolint:errcheck // it has that name
		}
	}
	for name, value := range map[string]string{"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true"} {
		os.Setenv(name, value) //nolint:errcheck // as above
	}
	defer func() {
		for _, end := range ends {
			if err := end(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// open finds or starts the sites, and returns what ends them.
func open(dir string) (ends []func() error, err error) {
	if endpoint := os.Getenv("POSTERN_CLIENTS_ENDPOINT"); endpoint != "" {
		s := site{
			name: "external", endpoint: strings.TrimSuffix(endpoint, "/"), region: "us-east-1",
			id: os.Getenv("AWS_ACCESS_KEY_ID"), secret: os.Getenv("AWS_SECRET_ACCESS_KEY"), http: http.DefaultClient,
		}
		if r := os.Getenv("AWS_REGION"); r != "" {
			s.region = r
		}
		sites = []site{s}
		return nil, nil
	}
	bin, err := binary(dir)
	if err != nil {
		return nil, err
	}
	cert, key, pool, err := certificate(dir)
	if err != nil {
		return nil, err
	}
	plain := site{name: "http", region: "us-east-1", http: &http.Client{}}
	over := site{name: "https", region: "eu-central-1", ca: cert, roots: pool, http: &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}},
	}}
	for _, s := range []site{plain, over} {
		s.ours, s.id, s.secret = true, "AKIACLIENTSEXAMPLE01", rand.Text()+"/+"
		s.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		args := []string{"bucket", "--listen", "127.0.0.1:0", "--data", filepath.Join(dir, s.name), "--region", s.region, "--json", "--log-level", "warn"}
		if s.ca != "" {
			args = append(args, "--tls-cert", cert, "--tls-key", key)
		}
		end, err := s.start(bin, args)
		if err != nil {
			return ends, err
		}
		ends = append(ends, end)
		sites = append(sites, s)
	}
	return ends, nil
}

// start runs the binary until it says where it is.
func (s *site) start(bin string, args []string) (end func() error, err error) {
	cmd := exec.Command(bin, args...)
	cmd.Env = append(bare(), "AWS_ACCESS_KEY_ID="+s.id, "AWS_SECRET_ACCESS_KEY="+s.secret)
	var noted strings.Builder
	cmd.Stderr = &noted
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", bin, err)
	}
	late := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() }) //nolint:errcheck // it may be gone
	line, err := bufio.NewReader(out).ReadBytes('\n')
	late.Stop()
	var ready struct {
		Endpoint, Region string
		AccessKeyID      string `json:"access_key_id"`
		SecretAccessKey  string `json:"secret_access_key"`
		Buckets          []string
	}
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err == nil && (ready.Region != s.region || ready.AccessKeyID != s.id || ready.SecretAccessKey != "" || ready.Buckets == nil) {
		err = errors.New("it says other than what it was told")
	}
	if err != nil {
		cmd.Process.Kill() //nolint:errcheck // it may be gone
		cmd.Wait()         //nolint:errcheck // killed
		return nil, fmt.Errorf("%s %s: %w: %q\n%s", bin, strings.Join(args, " "), err, line, &noted)
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // it ends with the process
	s.endpoint = ready.Endpoint
	return func() error {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return fmt.Errorf("stop %s: %w\n%s", s.name, err, &noted)
		}
		overdue := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() }) //nolint:errcheck // it may be gone
		defer overdue.Stop()
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%s did not end cleanly: %w\n%s", s.name, err, &noted)
		}
		// What it lacks it notes at warn; a fault of its own is an error.
		if strings.Contains(noted.String(), `"level":"ERROR"`) {
			return fmt.Errorf("%s logged errors:\n%s", s.name, &noted)
		}
		return nil
	}, nil
}

// binary is the one of POSTERN_BIN, or one built now.
func binary(dir string) (string, error) {
	if bin := os.Getenv("POSTERN_BIN"); bin != "" {
		return filepath.Abs(bin)
	}
	bin := filepath.Join(dir, "postern")
	cmd := exec.Command("go", "build", "-C", "../../..", "-trimpath", "-o", bin, "./cmd/postern")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build postern: %w\n%s", err, out)
	}
	return bin, nil
}

// bare is the environment without what would lead a client elsewhere.
func bare() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "POSTERN_") && !strings.HasSuffix(strings.ToLower(name), "_proxy") {
			env = append(env, v)
		}
	}
	return env
}

// environment is what a client in a process of its own finds the site by.
func (s *site) environment() []string {
	env := append(bare(), "ENDPOINT="+s.endpoint, "AWS_REGION="+s.region, "AWS_DEFAULT_REGION="+s.region,
		"AWS_ACCESS_KEY_ID="+s.id, "AWS_SECRET_ACCESS_KEY="+s.secret)
	if s.ca != "" {
		env = append(env, "AWS_CA_BUNDLE="+s.ca, "NODE_EXTRA_CA_CERTS="+s.ca, "CURL_CA_BUNDLE="+s.ca)
	}
	if s.ours {
		env = append(env, "OURS=1")
	}
	return env
}

// certificate makes one for 127.0.0.1, and what trusts it.
func certificate(dir string) (cert, key string, pool *x509.CertPool, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postern clients"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return "", "", nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", nil, err
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	err = errors.Join(os.WriteFile(cert, text, 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return cert, key, pool, err
}

// each runs a test against every site.
func each(t *testing.T, test func(*testing.T, site)) {
	t.Helper()
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) { test(t, s) })
	}
}

// bucketName is a name that no other bucket has.
func bucketName() string { return "c-" + strings.ToLower(rand.Text()) }

// exchange sends a request without any SDK, and reads the answer to its end.
func (s *site) exchange(t *testing.T, method, url string, body io.Reader, header http.Header) (status int, h http.Header, content string) {
	t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, url, body)
	must(t, err)
	for name, values := range header {
		switch name {
		case "Host":
		case "Content-Length":
			fmt.Sscan(values[0], &r.ContentLength) //nolint:errcheck // then the server says so
		default:
			r.Header[name] = values
		}
	}
	res, err := s.http.Do(r)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return res.StatusCode, res.Header, string(b)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// missing is called when a client is not installed: it ends the test.
func missing(t *testing.T, client, how string) {
	t.Helper()
	if os.Getenv("POSTERN_CLIENTS_REQUIRED") != "" {
		t.Fatalf("%s is not installed: %s", client, how)
	}
	t.Skipf("SKIPPED: %s is not installed: %s", client, how)
}

// leftOut ends the test when POSTERN_CLIENTS_SKIP names its client.
func leftOut(t *testing.T, client string) {
	t.Helper()
	for name := range strings.SplitSeq(os.Getenv("POSTERN_CLIENTS_SKIP"), ",") {
		if strings.TrimSpace(name) == client {
			t.Skipf("SKIPPED: POSTERN_CLIENTS_SKIP names %s", client)
		}
	}
}
