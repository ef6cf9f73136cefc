package provision_test

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"postern.example/postern/internal/provision"
	"postern.example/postern/sigv4"
)

// amazon answers as AWS's documentation has it for an account in which nothing
// is set up, and notes what is asked. It stands for the calls that no server
// has which can be run here; none of this was ever run against AWS itself.
type amazon struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string
	there   map[string]bool   // users and roles that were made
	refuses map[string]string // the action of IAM or S3's operation, and AWS's sentence
}

func startAmazon(t *testing.T) *amazon {
	t.Helper()
	a := &amazon{there: map[string]bool{}, refuses: map[string]string{}}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(a.answer))
	t.Cleanup(a.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	return a
}

func (a *amazon) place(t *testing.T, w provision.Want) *place {
	t.Helper()
	w.Endpoint, w.PathStyle, w.Account = a.URL, true, ""
	return &place{want: w, access: provision.Access{
		Credentials: given(sigv4.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"}),
		IAMEndpoint: a.URL + "/iam", STSEndpoint: a.URL + "/sts",
	}}
}

func (a *amazon) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "text/xml")
	w.Header().Set("X-Amz-Request-Id", "REQUEST1")
	w.Header().Set("X-Amzn-Requestid", "REQUEST1")
	if strings.HasPrefix(r.URL.Path, "/iam") || strings.HasPrefix(r.URL.Path, "/sts") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return
		}
		a.service(w, form)
		return
	}
	a.bucket(w, r, string(body))
}

// service answers the Query protocol of IAM and STS.
func (a *amazon) service(w http.ResponseWriter, form url.Values) {
	action := form.Get("Action")
	name := form.Get("UserName") + form.Get("RoleName")
	fail := func(status int, code, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>REQUEST1</RequestId></ErrorResponse>`, code, message)
	}
	if said, ok := a.refuses[action]; ok {
		fail(http.StatusForbidden, "AccessDenied", said)
		return
	}
	if !strings.HasPrefix(action, "Get") && !strings.HasPrefix(action, "List") {
		a.note("IAM "+action, form)
	}
	result := ""
	switch action {
	case "GetCallerIdentity":
		result = "<Arn>arn:aws:iam::" + account + ":user/me</Arn><UserId>AIDA</UserId><Account>" + account + "</Account>"
	case "GetUser", "GetRole", "GetUserPolicy", "GetRolePolicy":
		if action == "GetUserPolicy" || action == "GetRolePolicy" || !a.there[name] {
			fail(http.StatusNotFound, "NoSuchEntity", "there is none")
			return
		}
		result = "<User><Path>/</Path><UserName>" + name + "</UserName><UserId>AIDA</UserId><Arn>arn</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate></User>"
	case "CreateUser", "CreateRole":
		a.there[name] = true
	case "CreateAccessKey":
		result = "<AccessKey><UserName>" + name + "</UserName><AccessKeyId>AKIANEW" + strings.ToUpper(name) + "</AccessKeyId><Status>Active</Status><SecretAccessKey>new secret</SecretAccessKey></AccessKey>"
	}
	fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>REQUEST1</RequestId></ResponseMetadata></%[1]sResponse>", action, result)
}

// bucket answers as S3 for a bucket that is to be made.
func (a *amazon) bucket(w http.ResponseWriter, r *http.Request, body string) {
	fail := func(status int, code, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message><RequestId>REQUEST1</RequestId></Error>", code, message)
	}
	what := r.Method + " " + r.URL.Path
	if r.URL.RawQuery != "" {
		what += "?" + r.URL.RawQuery
	}
	if said, ok := a.refuses[what]; ok {
		fail(http.StatusForbidden, "AccessDenied", said)
		return
	}
	switch r.Method {
	case http.MethodHead:
		w.WriteHeader(http.StatusNotFound)
	case http.MethodGet:
		fail(http.StatusNotFound, map[string]string{
			"policy": "NoSuchBucketPolicy", "cors": "NoSuchCORSConfiguration", "lifecycle": "NoSuchLifecycleConfiguration",
			"publicAccessBlock": "NoSuchPublicAccessBlockConfiguration", "ownershipControls": "OwnershipControlsNotFoundError",
			"encryption": "ServerSideEncryptionConfigurationNotFoundError",
		}[strings.TrimSuffix(r.URL.RawQuery, "=")], "there is none")
	default:
		a.asked = append(a.asked, what+"\n"+strings.ReplaceAll(body, "><", ">\n<"))
	}
}

func (a *amazon) note(what string, form url.Values) {
	lines := []string{what}
	for name, v := range form {
		if name != "Action" && name != "Version" {
			lines = append(lines, name+"="+v[0])
		}
	}
	slices.Sort(lines[1:])
	a.asked = append(a.asked, strings.Join(lines, "\n"))
}

// What AWS is sent, as its API reference wants it.
func TestRequestsToAWS(t *testing.T) {
	for _, name := range []string{"aws-user", "aws-public", "aws-us-east", "role-oidc", "role-ecs", "aws-cdn"} {
		t.Run(name, func(t *testing.T) {
			a := startAmazon(t)
			p := a.place(t, wants(t)[name])
			c := p.open(t)
			plan, err := c.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if plan.Caller.Account != account || plan.Caller.ARN != "arn:aws:iam::"+account+":user/me" {
				t.Errorf("we are %+v", plan.Caller)
			}
			r, err := c.Apply(t.Context(), plan, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range r.Keys {
				if k.SecretAccessKey != "new secret" || k.User == "" {
					t.Errorf("key %+v", k)
				}
			}
			golden(t, filepath.Join("requests", name+".txt"), strings.Join(a.asked, "\n\n")+"\n")
		})
	}
}

// AWS's own words of what is missing are believed, and who lacks it is named.
func TestDenied_ByAWS(t *testing.T) {
	a := startAmazon(t)
	p := a.place(t, wants(t)["aws-user"])
	a.refuses["GetUser"] = "User: arn:aws:iam::" + account + ":user/me is not authorized to perform: iam:GetUser on resource: user site-signer because no identity-based policy allows the iam:GetUser action"
	_, err := p.open(t).Plan(t.Context())
	var denied *provision.Denied
	if !errors.As(err, &denied) || denied.Action != "iam:GetUser" || denied.Caller != "arn:aws:iam::"+account+":user/me" || denied.RequestID != "REQUEST1" {
		t.Fatalf("%+v, %v", denied, err)
	}
	delete(a.refuses, "GetUser")
	a.refuses["PUT /photos?publicAccessBlock"] = "Access Denied"
	a.refuses["PUT /photos?publicAccessBlock="] = "Access Denied"
	c := p.open(t)
	plan, err := c.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Apply(t.Context(), plan, nil)
	if !errors.As(err, &denied) || denied.Action != "s3:PutBucketPublicAccessBlock" || denied.Resource != "arn:aws:s3:::photos" || len(r.Done) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	// What is missing to an operator who has our policy for him is nothing.
	allowed := map[string]bool{}
	w := p.want
	for _, s := range provision.OperatorPolicy(&w).Statement {
		for _, action := range s.Action {
			allowed[action] = true
		}
	}
	for _, s := range plan.Steps {
		for _, need := range s.Permissions {
			if !allowed[need.Action] {
				t.Errorf("%s needs %s, which the operator's policy has not", s.ID, need.Action)
			}
		}
	}
}
