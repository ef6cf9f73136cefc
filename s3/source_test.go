package s3_test

import (
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	webToken  = "a.web.identity-token"
	ssoToken  = "an-sso-access-token"
	authToken = "a-container-token"
)

// source plays AWS's sources of temporary credentials over HTTP: the container
// endpoint, the instance metadata service, STS and IAM Identity Center. Each
// fetch gets new keys.
type source struct {
	*httptest.Server
	mu      sync.Mutex
	now     time.Time     // of the test's clock
	life    time.Duration // of the credentials; 0: they have no end
	refuse  bool
	fetches int
	gate    chan struct{} // fetches wait until it is closed; nil: they do not
	wrong   string        // what was wrong with a request
}

func startSource(t *testing.T, life time.Duration) *source {
	t.Helper()
	s := &source{now: time.Now().Truncate(time.Second), life: life}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *source) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *source) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// ask sends a request that is not a fetch, and waits for its answer.
func (s *source) ask(t *testing.T) {
	t.Helper()
	res, err := s.Client().Get(s.URL + "/latest/api/token")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

// ServeHTTP implements [http.Handler].
func (s *source) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const imds = "/latest/meta-data/iam/security-credentials/"
	switch r.URL.Path {
	case "/latest/api/token": // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
		w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600")
		fmt.Fprint(w, "an-imds-token")
		return
	case imds:
		fmt.Fprint(w, "a-role")
		return
	}
	s.demand(r.ParseForm() == nil, "form")
	s.mu.Lock()
	gate := s.gate
	s.fetches++
	n, refuse, expires := s.fetches, s.refuse, ""
	if s.life > 0 {
		expires = s.now.Add(s.life).UTC().Format(time.RFC3339)
	}
	until := s.now.Add(s.life)
	s.mu.Unlock()
	if gate != nil {
		<-gate
	}
	if refuse {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, "no")
		return
	}
	id, secret, token := fmt.Sprint("KEY", n), fmt.Sprint("SECRET", n), fmt.Sprint("TOKEN", n)
	document := map[string]any{"AccessKeyId": id, "SecretAccessKey": secret, "Token": token}
	if expires != "" {
		document["Expiration"] = expires
	}
	action := r.PostForm.Get("Action")
	switch {
	case r.URL.Path == "/container":
		s.demand(r.Header.Get("Authorization") == authToken, "authorization")
	case r.URL.Path == imds+"a-role":
		s.demand(r.Header.Get("X-Aws-Ec2-Metadata-Token") == "an-imds-token", "metadata token")
		document["Code"] = "Success"
	case r.URL.Path == "/federation/credentials":
		s.demand(r.Header.Get("X-Amz-Sso_bearer_token") == ssoToken, "SSO token")
		document = map[string]any{"roleCredentials": map[string]any{
			"accessKeyId": id, "secretAccessKey": secret, "sessionToken": token, "expiration": until.UnixMilli(),
		}}
	case action == "AssumeRoleWithWebIdentity", action == "AssumeRole":
		s.demand(action == "AssumeRole" || r.PostForm.Get("WebIdentityToken") == webToken, "web identity token")
		s.demand(r.PostForm.Get("RoleArn") == "arn:aws:iam::000000000000:role/gate", "role")
		fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials>`+
			`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>`+
			`</Credentials><AssumedRoleUser><Arn>arn:aws:sts::000000000000:assumed-role/gate/x</Arn><AssumedRoleId>A:x</AssumedRoleId></AssumedRoleUser></%[1]sResult></%[1]sResponse>`, action, id, secret, token, expires)
		return
	default:
		s.demand(false, r.Method+" "+r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	s.demand(json.NewEncoder(w).Encode(document) == nil, "answer")
}

func (s *source) demand(ok bool, what string) {
	if !ok {
		s.set(func() { s.wrong = what })
	}
}

// onlyThis clears the environment of everything that is of AWS, and points the
// shared files into a new home with the given config file.
func onlyThis(t *testing.T, config string) (home string) {
	t.Helper()
	for _, v := range os.Environ() {
		if name, _, _ := strings.Cut(v, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	home = t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("AWS_REGION", "eu-west-3")
	write(t, filepath.Join(home, ".aws", "config"), config)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, ".aws", "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(home, ".aws", "credentials"))
	return home
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sources are the ways of the AWS chain that fetch over HTTP, each with what an
// administrator sets for it.
func sources() map[string]func(t *testing.T, url string) (named string) {
	return map[string]func(*testing.T, string) string{
		"container": func(t *testing.T, url string) string {
			onlyThis(t, "")
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url+"/container")
			t.Setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", authToken)
			return "CredentialsEndpointProvider"
		},
		"instance": func(t *testing.T, url string) string {
			onlyThis(t, "")
			t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
			return "EC2RoleProvider"
		},
		"web identity": func(t *testing.T, url string) string {
			home := onlyThis(t, "")
			write(t, filepath.Join(home, "token"), webToken)
			t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", filepath.Join(home, "token"))
			t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::000000000000:role/gate")
			t.Setenv("AWS_ENDPOINT_URL_STS", url)
			return "WebIdentityCredentials"
		},
		"role of a profile": func(t *testing.T, url string) string {
			onlyThis(t, "[profile gate]\nrole_arn = arn:aws:iam::000000000000:role/gate\nsource_profile = people\n"+
				"[profile people]\naws_access_key_id = AKID\naws_secret_access_key = from the file\n")
			t.Setenv("AWS_PROFILE", "gate")
			t.Setenv("AWS_ENDPOINT_URL_STS", url)
			return "AssumeRoleProvider"
		},
		"single sign-on": func(t *testing.T, url string) string {
			home := onlyThis(t, "[profile gate]\nsso_session = office\nsso_account_id = 000000000000\nsso_role_name = gate\n"+
				"[sso-session office]\nsso_region = eu-west-3\nsso_start_url = https://office.example/start\nsso_registration_scopes = sso:account:access\n")
			name := sha1.Sum([]byte("office"))
			write(t, filepath.Join(home, ".aws", "sso", "cache", hex.EncodeToString(name[:])+".json"),
				`{"accessToken":"`+ssoToken+`","expiresAt":"`+time.Now().Add(8*time.Hour).UTC().Format(time.RFC3339)+`","region":"eu-west-3","startUrl":"https://office.example/start"}`)
			t.Setenv("AWS_PROFILE", "gate")
			t.Setenv("AWS_ENDPOINT_URL_SSO", url)
			return "SSOProvider"
		},
	}
}
