package s3d

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern.example/postern/internal/s3d/access"
	"postern.example/postern/sigv4"
)

// Who may do what: the owner everything that no bucket policy denies, a user
// what his policies or the bucket's allow, everybody else what the bucket's
// policy allows to all. An explicit Deny outranks every Allow.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html

// Account is the id of the one account that owns everything here.
const Account = "000000000000"

// UserARN returns how policies name a user.
func UserARN(name string) string { return "arn:aws:iam::" + Account + ":user/" + name }

// User is somebody with less than everything.
type User struct {
	// Name is what policies call the user, see [UserARN]: 1 to 64 letters,
	// digits and +=,.@_-, and no other user's.
	Name string
	// Keys are the user's access keys.
	Keys []sigv4.Credentials
	// Policies are IAM policy documents. What none of them, nor the bucket's
	// own policy, allows, is denied.
	Policies [][]byte
}

type user struct {
	name     string
	policies []*access.Policy
}

func (s *Server) addUser(u User) error {
	if !isUserName(u.Name) {
		return fmt.Errorf("%q is no name for a user: 1 to %d letters, digits and +=,.@_-", u.Name, maxUserName)
	}
	for _, other := range s.users {
		if other.name == u.Name {
			return fmt.Errorf("two users are named %q; one may have several keys", u.Name)
		}
	}
	if len(u.Keys) == 0 {
		return fmt.Errorf("user %q has no keys", u.Name)
	}
	known := &user{name: u.Name}
	for i, doc := range u.Policies {
		p, err := access.ParseIdentity(doc)
		if err != nil {
			return fmt.Errorf("policy %d of user %q: %w", i+1, u.Name, err)
		}
		known.policies = append(known.policies, p)
	}
	for _, k := range u.Keys {
		if k.AccessKeyID == "" || k.SecretAccessKey == "" {
			return fmt.Errorf("a key of user %q is empty", u.Name)
		}
		if _, taken := s.keys[k.AccessKeyID]; taken {
			return fmt.Errorf("the access key id of user %q is somebody else's, too", u.Name)
		}
		s.keys[k.AccessKeyID], s.users[k.AccessKeyID] = k, known
	}
	return nil
}

// maxUserName: "names … can consist of up to 64 letters, digits, and these
// characters: plus (+), equal (=), comma (,), period (.), at sign (@),
// underscore (_), and hyphen (-)". Letters are ASCII's, as a name stands in ARNs.
const maxUserName = 64

func isUserName(name string) bool {
	return name != "" && len(name) <= maxUserName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("+=,.@_-", r)
	})
}

// caller is who asks.
type caller struct {
	user  *user // nil: the owner, or nobody known
	owner bool
	id    string // access key id
}

func anonymous() caller { return caller{} }

func (s *Server) callerOf(accessKeyID string) caller {
	u := s.users[accessKeyID]
	return caller{user: u, owner: u == nil, id: accessKeyID}
}

func (c caller) principal() access.Principal {
	switch {
	case c.user != nil:
		return access.Principal{Account: Account, ARN: UserARN(c.user.name)}
	case c.owner:
		return access.Principal{Account: Account, ARN: "arn:aws:iam::" + Account + ":root"}
	}
	return access.Principal{}
}

// authenticate finds out who asks by the request's headers or query.
func (x *exchange) authenticate() (err error) {
	x.identity, err = x.s.verifier.Request(x.r)
	switch {
	case errors.Is(err, sigv4.ErrAnonymous):
		if strings.HasPrefix(x.header("X-Amz-Content-Sha256"), "STREAMING-") {
			return errInvalidRequest("A body in signed chunks needs a signature.")
		}
		x.caller = anonymous()
		return nil
	case err != nil:
		return err
	}
	x.caller = x.s.callerOf(x.identity.AccessKeyID)
	return nil
}

// allow returns nil when the caller may do action with a key of the bucket, or
// with the bucket itself when key is empty.
func (x *exchange) allow(action, key string) error {
	return x.allowIn(x.bucket, x.name, action, key, nil)
}

// allowPost is allow for a form, whose fields are what headers are elsewhere.
func (x *exchange) allowPost(fields sigv4.Form, o *object) error {
	more := make(map[string][]string)
	for _, name := range conditionHeaders() {
		more["s3:"+name] = nil // a form's headers say nothing
		if v := fields[name]; v != "" {
			more["s3:"+name] = []string{v}
		}
	}
	if v := fields["acl"]; v != "" {
		more["s3:x-amz-acl"] = []string{v}
	}
	if !x.caller.anonymous() {
		more["s3:authtype"] = []string{"POST"}
		more["s3:signatureversion"] = []string{"AWS4-HMAC-SHA256"}
		if t, err := time.Parse("20060102T150405Z", fields["x-amz-date"]); err == nil {
			more["s3:signatureage"] = []string{strconv.FormatInt(x.s.now().Sub(t).Milliseconds(), 10)}
		}
	}
	if len(o.Tags) > 0 {
		addTagConditions(more, "s3:requestobjecttag", o.Tags)
		if err := x.allowIn(x.bucket, x.name, "s3:PutObjectTagging", o.Key, more); err != nil {
			return err
		}
	}
	return x.allowIn(x.bucket, x.name, "s3:PutObject", o.Key, more)
}

// stranger reports whether nothing can allow the caller anything, so that his
// body need not be read to know the answer.
func (x *exchange) stranger() bool {
	return x.caller.anonymous() && x.bucket.policy.value() == nil
}

func (c caller) anonymous() bool { return c.user == nil && !c.owner }

// addTagConditions adds the condition keys of tags: prefix/<key> for each, and
// for those of a request also the list of their keys.
func addTagConditions(to map[string][]string, prefix string, tags map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		// Keys of conditions have no case, those of tags have.
		to[prefix+"/"+strings.ToLower(k)] = append(to[prefix+"/"+strings.ToLower(k)], tags[k])
		if prefix == "s3:requestobjecttag" {
			to["s3:requestobjecttagkeys"] = append(to["s3:requestobjecttagkeys"], k)
		}
	}
}

// allowIn is allow for any bucket; b is nil when there is none yet. more are
// condition keys that the request's headers and query do not tell.
func (x *exchange) allowIn(b *bucket, name, action, key string, more map[string][]string) error {
	var policy *access.Policy
	var public publicAccess
	if b != nil {
		policy, public = b.policy.value(), b.publicAccess()
	}
	if policy == nil && x.caller.user == nil {
		if x.caller.owner {
			return nil
		}
		return errDenied("Access Denied")
	}
	r := access.Request{Action: action, Bucket: name, Key: key, Principal: x.caller.principal(), Conditions: x.conditions(action, more)}
	granted := false
	if policy != nil {
		switch policy.Judge(r) {
		case access.Deny:
			// So that nobody is locked out for good: "the root user of the
			// bucket owner's account can always delete the bucket policy".
			if !x.caller.owner || !strings.HasSuffix(action, "BucketPolicy") {
				return x.errNotAllowed(r, "with an explicit deny in a resource-based policy")
			}
			granted = true
		case access.Allow:
			// "Only AWS service principals and authorized users within the
			// bucket owner's account" may use a public policy when restricted.
			if x.caller.anonymous() && public.RestrictPublicBuckets && policy.Public() {
				return errDenied("Access Denied")
			}
			granted = true
		}
	}
	if x.caller.owner {
		return nil
	}
	if x.caller.user != nil {
		for _, p := range x.caller.user.policies {
			switch p.Judge(r) {
			case access.Deny:
				return x.errNotAllowed(r, "with an explicit deny in an identity-based policy")
			case access.Allow:
				granted = true
			}
		}
	}
	if !granted {
		return x.errNotAllowed(r, "because no identity-based policy allows the "+action+" action")
	}
	return nil
}

// errNotAllowed says what was lacking, in the words of S3's "enhanced access
// denied messages", which are for "requests … within the same account" alone.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/troubleshoot-403-errors.html
func (x *exchange) errNotAllowed(r access.Request, why string) error {
	if x.caller.anonymous() {
		return errDenied("Access Denied")
	}
	resource := "arn:aws:s3:::" + r.Bucket
	switch {
	case r.Bucket == "":
		resource += "*"
	case r.Key != "":
		resource += "/" + r.Key
	}
	return errDenied("User: " + r.Principal.ARN + " is not authorized to perform: " + r.Action + ` on resource: "` + resource + `" ` + why)
}

func errDenied(message string) error { return fault(http.StatusForbidden, "AccessDenied", message) }

// conditions are the condition keys of a request, by their lower-case names.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func (x *exchange) conditions(action string, more map[string][]string) map[string][]string {
	now := x.s.now().UTC()
	c := map[string][]string{
		"aws:securetransport": {strconv.FormatBool(x.r.TLS != nil)},
		"aws:currenttime":     {now.Format(time.RFC3339)},
		"aws:epochtime":       {strconv.FormatInt(now.Unix(), 10)},
		"aws:requestedregion": {x.s.region},
		"aws:resourceaccount": {Account},
		"s3:resourceaccount":  {Account},
	}
	set := func(key, value string) {
		if value != "" {
			c[key] = []string{value}
		}
	}
	if host, _, err := net.SplitHostPort(x.r.RemoteAddr); err == nil {
		set("aws:sourceip", host)
	}
	set("aws:useragent", x.r.UserAgent())
	set("aws:referer", x.r.Referer())
	set("aws:principalarn", x.caller.principal().ARN)
	set("aws:principalaccount", x.caller.principal().Account)
	if x.r.TLS != nil {
		// "TLS 1.2": policies compare the number.
		set("s3:tlsversion", strings.TrimPrefix(tls.VersionName(x.r.TLS.Version), "TLS "))
	}
	switch {
	case x.caller.user != nil:
		set("aws:principaltype", "User")
		set("aws:username", x.caller.user.name)
		set("aws:userid", x.caller.id)
	case x.caller.owner:
		set("aws:principaltype", "Account")
		set("aws:userid", Account)
	default:
		set("aws:principaltype", "Anonymous")
	}
	if x.identity.AccessKeyID != "" {
		set("s3:signatureversion", "AWS4-HMAC-SHA256")
		set("s3:authtype", "REST-HEADER")
		if x.identity.Presigned {
			set("s3:authtype", "REST-QUERY-STRING")
		}
		set("s3:signatureage", strconv.FormatInt(now.Sub(x.identity.SignedAt).Milliseconds(), 10))
	}
	for _, name := range conditionHeaders() {
		set("s3:"+name, x.header(name))
	}
	switch action {
	case "s3:ListBucket":
		for _, name := range []string{"prefix", "delimiter", "max-keys"} {
			if v, ok := x.query[name]; ok {
				c["s3:"+name] = []string{v}
			}
		}
	case "s3:PutObject":
		// "false" for what begins or adds to an upload of parts.
		_, begins := x.query["uploads"]
		_, part := x.query["partNumber"]
		set("s3:objectcreationoperation", strconv.FormatBool(!begins && !part))
		set("s3:if-match", x.header("If-Match"))
		set("s3:if-none-match", x.header("If-None-Match"))
	case "s3:DeleteObject":
		set("s3:if-match", x.header("If-Match"))
	}
	for k, v := range more {
		if c[k] = v; len(v) == 0 {
			delete(c, k)
		}
	}
	return c
}

// conditionHeaders are the headers that are condition keys, behind "s3:".
func conditionHeaders() []string {
	return []string{
		"x-amz-content-sha256", "x-amz-copy-source", "x-amz-metadata-directive", "x-amz-acl", "x-amz-object-ownership",
		"x-amz-server-side-encryption",
	}
}
