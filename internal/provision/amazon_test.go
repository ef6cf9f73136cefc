package provision_test

import (
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
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

// amazon answers as AWS's documentation has it, for one account with at most one
// bucket, and notes what it is told. It stands for the calls that no server has
// which can be run here; none of this was ever run against AWS itself.
type amazon struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string          // all but reads
	refuses map[string]string // the action of IAM, or method and address of S3, and AWS's sentence
	fails   map[string]string // the same, and the code of an answer 501

	region   string            // of the bucket; empty: there is none
	foreign  bool              // the bucket is another account's
	bare     bool              // a new bucket has Block Public Access and ACLs as before 2023
	settings map[string]string // of the bucket, by the name in the address
	versions []string          // keys of objects
	uploads  []string          // keys of unfinished uploads in parts
	users    map[string]*person
	roles    map[string]*person
	late     int // so many reads of a user or role, or its policies, are answered as of before
	keys     int // that were ever made
}

// person is a user or a role.
type person struct {
	tagged   bool
	trust    string
	policies map[string]string
	attached []string
	keys     []string
	off      string // the key that is inactive
}

func startAmazon(t *testing.T) *amazon {
	t.Helper()
	a := &amazon{refuses: map[string]string{}, fails: map[string]string{}, settings: map[string]string{}, users: map[string]*person{}, roles: map[string]*person{}}
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

// place is w there. The account is left for setup to find out.
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
		result, status, code, said := a.iam(form)
		if code != "" {
			w.WriteHeader(status)
			fmt.Fprintf(w, `<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>REQUEST1</RequestId></ErrorResponse>`, code, said)
			return
		}
		fmt.Fprintf(w, "<%[1]sResponse><%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>REQUEST1</RequestId></ResponseMetadata></%[1]sResponse>", form.Get("Action"), result)
		return
	}
	result, status, code, said := a.bucket(w.Header(), r, string(body))
	if code != "" {
		result = fmt.Sprintf("<Error><Code>%s</Code><Message>%s</Message><RequestId>REQUEST1</RequestId></Error>", code, said)
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		io.WriteString(w, result) //nolint:errcheck // the client may have gone
	}
}

// iam answers the Query protocol of IAM and STS.
func (a *amazon) iam(form url.Values) (result string, status int, code, said string) {
	action := form.Get("Action")
	if said, ok := a.refuses[action]; ok {
		return "", http.StatusForbidden, "AccessDenied", said
	}
	if code, ok := a.fails[action]; ok {
		return "", http.StatusNotImplemented, code, "not here"
	}
	reads := strings.HasPrefix(action, "Get") || strings.HasPrefix(action, "List")
	if !reads {
		a.note("IAM "+action, form)
	}
	if action == "GetCallerIdentity" {
		return "<Arn>arn:aws:iam::" + account + ":user/me</Arn><UserId>AIDA</UserId><Account>" + account + "</Account>", 200, "", ""
	}
	kind, name, all := "User", form.Get("UserName"), a.users
	if name == "" {
		kind, name, all = "Role", form.Get("RoleName"), a.roles
	}
	p := all[name]
	policy, key := form.Get("PolicyName"), form.Get("AccessKeyId")
	none := func() (string, int, string, string) {
		return "", http.StatusNotFound, "NoSuchEntity", "The " + strings.ToLower(kind) + " with name " + name + " cannot be found."
	}
	if strings.HasPrefix(action, "Create"+kind) {
		if p != nil {
			return "", http.StatusConflict, "EntityAlreadyExists", name + " already exists."
		}
		p = &person{trust: form.Get("AssumeRolePolicyDocument"), policies: map[string]string{}, tagged: form.Get("Tags.member.1.Key") == provision.TagKey}
		all[name] = p
		return a.described(kind, name, p), 200, "", ""
	}
	if reads && a.late > 0 && p != nil {
		a.late--
		return none()
	}
	if p == nil {
		return none()
	}
	switch strings.Replace(action, kind, "", 1) {
	case "Get":
		return a.described(kind, name, p), 200, "", ""
	case "ListTags":
		return tagList(p), 200, "", ""
	case "GetPolicy":
		if p.policies[policy] == "" {
			return none()
		}
		// "URL-encoded compliant with RFC 3986"
		return "<" + kind + "Name>" + name + "</" + kind + "Name><PolicyName>" + policy + "</PolicyName><PolicyDocument>" + url.PathEscape(p.policies[policy]) + "</PolicyDocument>", 200, "", ""
	case "PutPolicy":
		p.policies[policy] = form.Get("PolicyDocument")
	case "DeletePolicy":
		delete(p.policies, policy)
	case "UpdateAssumePolicy": // UpdateAssumeRolePolicy
		p.trust = form.Get("PolicyDocument")
	case "ListPolicies":
		return "<IsTruncated>false</IsTruncated><PolicyNames>" + members(slices.Sorted(maps.Keys(p.policies))) + "</PolicyNames>", 200, "", ""
	case "ListAttachedPolicies":
		list := ""
		for _, arn := range p.attached {
			list += "<member><PolicyName>" + arn[strings.LastIndex(arn, "/")+1:] + "</PolicyName><PolicyArn>" + arn + "</PolicyArn></member>"
		}
		return "<IsTruncated>false</IsTruncated><AttachedPolicies>" + list + "</AttachedPolicies>", 200, "", ""
	case "ListAccessKeys":
		list := ""
		for i, k := range p.keys {
			state := "Active"
			if k == p.off {
				state = "Inactive"
			}
			list += fmt.Sprintf("<member><UserName>%s</UserName><AccessKeyId>%s</AccessKeyId><Status>%s</Status><CreateDate>2026-01-0%dT00:00:00Z</CreateDate></member>", name, k, state, i+1)
		}
		return "<IsTruncated>false</IsTruncated><AccessKeyMetadata>" + list + "</AccessKeyMetadata>", 200, "", ""
	case "CreateAccessKey":
		if len(p.keys) == 2 {
			return "", http.StatusConflict, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2"
		}
		a.keys++
		k := fmt.Sprintf("AKIANEWKEY%d", a.keys)
		p.keys = append(p.keys, k)
		return "<AccessKey><UserName>" + name + "</UserName><AccessKeyId>" + k + "</AccessKeyId><Status>Active</Status><SecretAccessKey>new secret</SecretAccessKey></AccessKey>", 200, "", ""
	case "DeleteAccessKey":
		if !slices.Contains(p.keys, key) {
			return none()
		}
		p.keys = slices.DeleteFunc(p.keys, func(k string) bool { return k == key })
	case "Delete":
		if len(p.policies)+len(p.attached)+len(p.keys) > 0 {
			return "", http.StatusConflict, "DeleteConflict", "Cannot delete entity, must detach all policies first."
		}
		delete(all, name)
	default:
		return "", http.StatusBadRequest, "InvalidAction", "Could not find operation " + action
	}
	return "", 200, "", ""
}

// described is a user or role as GetUser and GetRole tell it.
func (a *amazon) described(kind, name string, p *person) string {
	trust := ""
	if kind == "Role" {
		trust = "<AssumeRolePolicyDocument>" + url.PathEscape(p.trust) + "</AssumeRolePolicyDocument>"
	}
	return fmt.Sprintf("<%[1]s><Path>/</Path><%[1]sName>%[2]s</%[1]sName><%[1]sId>AIDA</%[1]sId><Arn>arn:aws:iam::%[3]s:%[4]s/%[2]s</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>%[5]s%[6]s</%[1]s>",
		kind, name, account, strings.ToLower(kind), trust, tagList(p))
}

func tagList(p *person) string {
	if !p.tagged {
		return ""
	}
	return "<Tags><member><Key>" + provision.TagKey + "</Key><Value>" + provision.TagValue + "</Value></member></Tags>"
}

func members(list []string) string {
	out := ""
	for _, v := range list {
		out += "<member>" + v + "</member>"
	}
	return out
}

// unsetCodes are S3's answers where a setting is not there.
var unsetCodes = map[string]string{
	"policy": "NoSuchBucketPolicy", "cors": "NoSuchCORSConfiguration", "lifecycle": "NoSuchLifecycleConfiguration",
	"publicAccessBlock": "NoSuchPublicAccessBlockConfiguration", "ownershipControls": "OwnershipControlsNotFoundError",
	"encryption": "ServerSideEncryptionConfigurationNotFoundError", "tagging": "NoSuchTagSet",
}

// bucket answers as S3.
func (a *amazon) bucket(header http.Header, r *http.Request, body string) (result string, status int, code, said string) {
	what := r.Method + " " + r.URL.Path
	query := strings.TrimSuffix(r.URL.RawQuery, "=")
	if query != "" {
		what += "?" + query
	}
	if said, ok := a.refuses[what]; ok {
		return "", http.StatusForbidden, "AccessDenied", said
	}
	if code, ok := a.fails[what]; ok {
		return "", http.StatusNotImplemented, code, "not here"
	}
	if r.Method != http.MethodHead && r.Method != http.MethodGet {
		if r.URL.RawQuery != "" {
			a.asked = append(a.asked, r.Method+" "+r.URL.Path+"?"+r.URL.RawQuery+"\n"+strings.ReplaceAll(body, "><", ">\n<"))
		} else {
			a.asked = append(a.asked, what+"\n"+strings.ReplaceAll(body, "><", ">\n<"))
		}
	}
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=AKIAIOSFODNN7EXAMPLE/")
	asked := strings.Split(scope+"//", "/")[1] // date, region, service
	switch {
	case a.foreign && r.Method == http.MethodPut && query == "":
		return "", http.StatusConflict, "BucketAlreadyExists", "The requested bucket name is not available."
	case a.foreign:
		return "", http.StatusForbidden, "AccessDenied", "Access Denied"
	case a.region == "" && r.Method == http.MethodPut && query == "":
		a.create(body)
		return "", 200, "", ""
	case a.region == "":
		return "", http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"
	case asked != a.region:
		header.Set("X-Amz-Bucket-Region", a.region)
		return "", http.StatusMovedPermanently, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint."
	case query == "":
		return a.whole(r.Method)
	}
	if r.Method == http.MethodPost && query == "delete" {
		return a.deleteObjects(body)
	}
	if v := r.URL.Query(); r.Method == http.MethodGet && (v.Has("list-type") || v.Has("versions") || v.Has("uploads") || v.Has("location")) {
		return a.lists(v)
	}
	if r.Method == http.MethodDelete && r.URL.Query().Has("uploadId") {
		key := strings.TrimPrefix(r.URL.Path, "/photos/")
		a.uploads = slices.DeleteFunc(a.uploads, func(k string) bool { return k == key })
		return "", http.StatusNoContent, "", ""
	}
	return a.setting(r, query, body)
}

// create makes the bucket with what AWS gives every new one since 2023.
func (a *amazon) create(body string) {
	var c struct {
		LocationConstraint string `xml:"LocationConstraint"`
	}
	a.region = "us-east-1"
	if xml.Unmarshal([]byte(body), &c) == nil {
		a.region = c.LocationConstraint
	}
	a.settings["encryption"] = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>"
	if a.bare {
		return
	}
	a.settings["publicAccessBlock"] = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
	a.settings["ownershipControls"] = "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>"
}

// whole answers for the bucket itself.
func (a *amazon) whole(method string) (result string, status int, code, said string) {
	switch method {
	case http.MethodPut:
		return "", http.StatusConflict, "BucketAlreadyOwnedByYou", "Your previous request to create the named bucket succeeded and you already own it."
	case http.MethodDelete:
		if len(a.versions) > 0 {
			return "", http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty"
		}
		a.region, a.settings = "", map[string]string{}
		return "", http.StatusNoContent, "", ""
	}
	return "", 200, "", ""
}

// setting answers for one setting of the bucket.
func (a *amazon) setting(r *http.Request, query, body string) (result string, status int, code, said string) {
	switch r.Method {
	case http.MethodPut:
		// "This header is required": all of them want a checksum.
		if r.Header.Get("Content-Md5") == "" && !slices.ContainsFunc(slices.Collect(maps.Keys(r.Header)), func(h string) bool { return strings.HasPrefix(h, "X-Amz-Checksum-") }) {
			return "", http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"
		}
		public := query == "policy" && strings.Contains(strings.Join(strings.Fields(body), ""), `"Effect":"Allow","Principal":"*"`)
		if public && strings.Contains(a.settings["publicAccessBlock"], "<BlockPublicPolicy>true") {
			return "", http.StatusForbidden, "AccessDenied", "User: arn:aws:iam::" + account + ":user/me is not authorized to perform: s3:PutBucketPolicy on resource: \"arn:aws:s3:::photos\" because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."
		}
		a.settings[query] = body
		return "", 200, "", ""
	case http.MethodDelete:
		delete(a.settings, query)
		return "", http.StatusNoContent, "", ""
	}
	if a.settings[query] == "" {
		return "", http.StatusNotFound, unsetCodes[query], "there is none"
	}
	return a.settings[query], 200, "", ""
}

func (a *amazon) lists(v url.Values) (result string, status int, code, said string) {
	switch {
	case v.Has("location"):
		region := a.region
		if region == "us-east-1" {
			region = ""
		}
		return `<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + region + "</LocationConstraint>", 200, "", ""
	case v.Has("uploads"):
		for _, k := range a.uploads {
			result += "<Upload><Key>" + k + "</Key><UploadId>ID</UploadId></Upload>"
		}
		return "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>" + result + "</ListMultipartUploadsResult>", 200, "", ""
	case v.Has("versions"):
		for i, k := range a.versions {
			result += fmt.Sprintf("<Version><Key>%s</Key><VersionId>v%d</VersionId></Version>", k, i)
		}
		return "<ListVersionsResult><IsTruncated>false</IsTruncated>" + result + "</ListVersionsResult>", 200, "", ""
	}
	return "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>", 200, "", "" // all are hidden by delete markers
}

func (a *amazon) deleteObjects(body string) (result string, status int, code, said string) {
	var d struct {
		Object []struct{ Key, VersionId string }
	}
	if err := xml.Unmarshal([]byte(body), &d); err != nil {
		return "", http.StatusBadRequest, "MalformedXML", err.Error()
	}
	for _, o := range d.Object {
		a.versions = slices.DeleteFunc(a.versions, func(k string) bool { return k == o.Key && o.VersionId != "" })
	}
	return "<DeleteResult></DeleteResult>", 200, "", ""
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

// told returns what was said since the last call, without the reads.
func (a *amazon) told() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.asked
	a.asked = nil
	return list
}
