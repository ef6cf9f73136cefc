package access_test

import "testing"

// Each operator with values that hold and values that do not, and with a key
// that the request lacks.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func TestOperators(t *testing.T) {
	const (
		referer = "aws:referer"
		age     = "s3:signatureage"
		now     = "aws:currenttime"
		epoch   = "aws:epochtime"
		ip      = "aws:sourceip"
		who     = "aws:principalarn"
		tls     = "aws:securetransport"
		tags    = "s3:requestobjecttagkeys"
	)
	for _, tt := range []struct {
		condition, key string
		holds, fails   []string // one value each
		absent         bool     // holds when the key is absent
	}{
		{`{"StringEquals":{"aws:Referer":["a*","b?"]}}`, referer, []string{"a*", "b?"}, []string{"ab", "A*", "", "a*\xff"}, false},
		{`{"StringEquals":{"aws:Referer":""}}`, referer, []string{""}, []string{"a"}, false},
		{`{"StringEqualsIgnoreCase":{"AWS:REFERER":"Straße*"}}`, referer, []string{"STRAßE*", "straße*"}, []string{"strasse*", "straßen"}, false},
		{`{"StringNotEquals":{"aws:Referer":["a","b"]}}`, referer, []string{"c", "A"}, []string{"a", "b"}, true},
		{`{"StringNotEqualsIgnoreCase":{"aws:Referer":"a"}}`, referer, []string{"c"}, []string{"a", "A"}, true},
		{`{"StringLike":{"aws:Referer":["a*z","?"]}}`, referer, []string{"az", "a/b/z", "x", "é"}, []string{"a/b", "", "xy", "Az"}, false},
		{`{"StringNotLike":{"aws:Referer":["a*","b*"]}}`, referer, []string{"c"}, []string{"a", "bc"}, true},
		{`{"StringEqualsIfExists":{"aws:Referer":"a"}}`, referer, []string{"a"}, []string{"b"}, true},
		{`{"NumericEquals":{"s3:signatureAge":10}}`, age, []string{"10", "10.0", "010"}, []string{"11", "x", ""}, false},
		{`{"NumericNotEquals":{"s3:signatureAge":"10"}}`, age, []string{"11", "x"}, []string{"10"}, true},
		{`{"NumericLessThan":{"s3:signatureAge":"-1.5"}}`, age, []string{"-2"}, []string{"-1.5", "0", "x"}, false},
		{`{"NumericLessThanEquals":{"s3:signatureAge":"10"}}`, age, []string{"10", "9.99"}, []string{"10.01", "x"}, false},
		{`{"NumericGreaterThan":{"s3:signatureAge":"10"}}`, age, []string{"11"}, []string{"10", "x"}, false},
		{`{"NumericGreaterThanEquals":{"s3:signatureAge":"10"}}`, age, []string{"10", "11"}, []string{"9", "x"}, false},
		{`{"NumericGreaterThanIfExists":{"s3:signatureAge":"10"}}`, age, []string{"11"}, []string{"10"}, true},
		{`{"DateEquals":{"aws:CurrentTime":"2026-01-02T03:04:05Z"}}`, now, []string{"2026-01-02T03:04:05Z", "2026-01-02T04:04:05+01:00", "1767323045"}, []string{"2026-01-02T03:04:06Z", "x"}, false},
		{`{"DateNotEquals":{"aws:CurrentTime":"2026-01-02"}}`, now, []string{"2026-01-02T00:00:01Z"}, []string{"2026-01-02T00:00Z"}, true},
		{`{"DateLessThan":{"aws:EpochTime":"2026-01-02T03:04:05Z"}}`, epoch, []string{"1767323044"}, []string{"1767323045"}, false},
		{`{"DateLessThanEquals":{"aws:CurrentTime":"2026-01-02T03:04:05Z"}}`, now, []string{"2026-01-02T03:04:05Z"}, []string{"2026-01-02T03:04:06Z"}, false},
		{`{"DateGreaterThan":{"aws:CurrentTime":1767323045}}`, now, []string{"2026-01-02T03:04:06Z"}, []string{"2026-01-02T03:04:05Z"}, false},
		{`{"DateGreaterThanEquals":{"aws:CurrentTime":"2026-01-02T03:04:05Z"}}`, now, []string{"2026-01-02T03:04:05Z"}, []string{"2026-01-02T03:04:04Z"}, false},
		{`{"Bool":{"aws:SecureTransport":true}}`, tls, []string{"true", "True"}, []string{"false", "", "1"}, false},
		{`{"BoolIfExists":{"aws:SecureTransport":"false"}}`, tls, []string{"false"}, []string{"true"}, true},
		{`{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::1"]}}`, ip, []string{"10.1.2.3", "::ffff:10.1.2.3", "::1"}, []string{"11.0.0.1", "::2", "10.0.0.0/8", ""}, false},
		{`{"NotIpAddress":{"aws:SourceIp":"10.0.0.1"}}`, ip, []string{"10.0.0.2"}, []string{"10.0.0.1"}, true},
		{`{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::*:user/a?n"}}`, who, []string{ann}, []string{bob, root, "arn:aws:iam::1:x:user/ann", "ann"}, false},
		{`{"ArnLike":{"aws:PrincipalArn":["*"]}}`, who, []string{ann, "x"}, nil, false},
		{`{"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/ann"}}`, who, []string{bob}, []string{ann}, true},
		{`{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/*"}}`, who, []string{root}, []string{ann}, true},
		{`{"Null":{"aws:Referer":"true"}}`, referer, nil, []string{"", "x"}, true},
		{`{"Null":{"aws:Referer":false}}`, referer, []string{"", "x"}, nil, false},
		{`{"Null":{"aws:Referer":["true","false"]}}`, referer, []string{"", "x"}, nil, true},
		{`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":"a"}}`, tags, []string{"a"}, []string{"b"}, true},
		{`{"ForAllValues:StringNotEquals":{"s3:RequestObjectTagKeys":"a"}}`, tags, []string{"b"}, []string{"a"}, true},
		{`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":"a"}}`, tags, []string{"a"}, []string{"b"}, false},
		{`{"ForAnyValue:StringNotEquals":{"s3:RequestObjectTagKeys":"a"}}`, tags, []string{"b"}, []string{"a"}, false},
		{`{"ForAnyValue:StringLikeIfExists":{"s3:RequestObjectTagKeys":"a*"}}`, tags, []string{"ab"}, []string{"b"}, true},
		// All conditions must hold.
		{`{"StringLike":{"aws:Referer":"a*"},"StringNotEquals":{"aws:Referer":"ab","aws:UserAgent":"x"}}`, referer, []string{"a"}, []string{"ab", "b"}, false},
	} {
		p := identity(t, document(`{"Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":`+tt.condition+`}`))
		check := func(want bool, with ...string) {
			t.Helper()
			a := ask{"s3:PutObject b/k", ann, with, no}
			if want {
				a.want = allow
			}
			if got := p.Judge(a.request()); got != a.want {
				t.Errorf("%s with %q: %s", tt.condition, with, got)
			}
		}
		for _, v := range tt.holds {
			check(true, tt.key, v)
		}
		for _, v := range tt.fails {
			check(false, tt.key, v)
		}
		check(tt.absent)
	}
}

// Keys with several values, of which all or one must be right.
func TestSeveralValues(t *testing.T) {
	two := []string{"s3:requestobjecttagkeys", "a", "s3:requestobjecttagkeys", "b"}
	for condition, want := range map[string]bool{
		`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a","b","c"]}}`: true,
		`{"ForAllValues:StringEquals":{"s3:RequestObjectTagKeys":["a","c"]}}`:     false,
		`{"ForAllValues:StringNotEquals":{"s3:RequestObjectTagKeys":["c"]}}`:      true,
		`{"ForAllValues:StringNotEquals":{"s3:RequestObjectTagKeys":["a"]}}`:      false,
		`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["b","c"]}}`:      true,
		`{"ForAnyValue:StringEquals":{"s3:RequestObjectTagKeys":["c"]}}`:          false,
		`{"ForAnyValue:StringNotEquals":{"s3:RequestObjectTagKeys":["a"]}}`:       true,
		`{"ForAnyValue:StringNotEquals":{"s3:RequestObjectTagKeys":["a","b"]}}`:   false,
		`{"StringEquals":{"s3:RequestObjectTagKeys":["a"]}}`:                      true,
		`{"StringNotEquals":{"s3:RequestObjectTagKeys":["a"]}}`:                   false,
		`{"StringNotEquals":{"s3:RequestObjectTagKeys":["c"]}}`:                   true,
	} {
		p := identity(t, document(`{"Effect":"Allow","Action":"s3:PutObject","Resource":"*","Condition":`+condition+`}`))
		if got := p.Judge(ask{"s3:PutObject b/k", ann, two, no}.request()); (got == allow) != want {
			t.Errorf("%s: %s", condition, got)
		}
	}
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status
func TestPublic(t *testing.T) {
	statement := func(principal, condition string) string {
		return `{"Effect":"Allow","Principal":` + principal + `,"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*","Condition":` + condition + `}`
	}
	const account = `{"AWS":"arn:aws:iam::111122223333:root"}`
	for _, tt := range []struct {
		statements string
		public     bool
	}{
		{statement(`"*"`, `{}`), true},
		{statement(`{"AWS":["111122223333","*"]}`, `{}`), true},
		{statement(account, `{}`), false},
		{statement(`{"Service":"cloudtrail.amazonaws.com"}`, `{}`), false},
		{`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`, false},
		{statement(account, `{}`) + "," + statement(`"*"`, `{}`), true},
		{statement(`"*"`, `{}`) + `,{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*"}`, true},
		{statement(`"*"`, `{"StringEquals":{"aws:SourceVpc":"vpc-91237329"}}`), false},
		{statement(`"*"`, `{"StringLike":{"aws:SourceVpc":"vpc-91237329"}}`), false},
		{statement(`"*"`, `{"StringLike":{"aws:SourceVpc":"vpc-*"}}`), true},
		{statement(`"*"`, `{"StringEquals":{"aws:SourceVpc":["vpc-1","${aws:username}"]}}`), true},
		{statement(`"*"`, `{"StringEqualsIfExists":{"aws:SourceVpc":"vpc-91237329"}}`), true},
		{statement(`"*"`, `{"StringNotEquals":{"aws:SourceVpc":"vpc-91237329"}}`), true},
		{statement(`"*"`, `{"ForAllValues:StringEquals":{"aws:SourceVpc":"vpc-91237329"}}`), true},
		{statement(`"*"`, `{"StringEquals":{"aws:Referer":"http://example.com/"}}`), true},
		{statement(`"*"`, `{"Null":{"aws:SourceVpc":"false"}}`), true},
		{statement(`"*"`, `{"IpAddress":{"aws:SourceIp":"54.240.143.0/24"}}`), false},
		{statement(`"*"`, `{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","2001:db8::/32"]}}`), false},
		{statement(`"*"`, `{"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}}`), true},
		{statement(`"*"`, `{"IpAddress":{"aws:SourceIp":"::/0"}}`), true},
		{statement(`"*"`, `{"NotIpAddress":{"aws:SourceIp":"54.240.143.0/24"}}`), true},
		{statement(`"*"`, `{"ArnLike":{"aws:SourceArn":"arn:aws:s3:::b"},"StringLike":{"aws:Referer":"*"}}`), false},
		{statement(`"*"`, `{"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:123456789012:accesspoint/*"}}`), false},
		{statement(`"*"`, `{"ArnLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:*:accesspoint/*"}}`), true},
	} {
		if got := ofBucket(t, document(tt.statements)).Public(); got != tt.public {
			t.Errorf("%s: %v", tt.statements, got)
		}
	}
	if identity(t, document(`{"Effect":"Allow","Action":"*","Resource":"*"}`)).Public() {
		t.Error("an identity's policy is public")
	}
}
