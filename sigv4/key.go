package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	service     = "s3"
	terminal    = "aws4_request"
	scopeSuffix = "/" + service + "/" + terminal
)

// signingKey is the key derived for one day, region and credential, ready to
// sign. Safe for concurrent use.
type signingKey struct {
	day        int // such as 20151229, UTC
	region     string
	id, secret string

	scope      string // 20151229/us-east-1/s3/aws4_request
	credential string // AKID/scope

	// The same, escaped once for all forms and URLs of the day.
	conditions []byte    // of a policy: the algorithm's and the credential's, each behind a comma
	quoted     []byte    // the credential as a JSON string
	encoded    []byte    // the credential in a query
	pens       sync.Pool // of *pen
}

// pen is what one signature needs of memory. It belongs to a key, lies in its
// pool and is used by one goroutine at a time.
type pen struct {
	canonicalizer
	mac
}

// take returns a pen; give it back with put.
func (k *signingKey) take() *pen { return k.pens.Get().(*pen) }

func (k *signingKey) put(p *pen) {
	if p.reset() && cap(p.last) <= maxKept {
		k.pens.Put(p)
	}
}

// newSigningKey derives the key as in Amazon's "Create a signed AWS API
// request", step 3. Four HMACs, about 3 µs.
func newSigningKey(c Credentials, region string, day int) *signingKey {
	date := strconv.Itoa(day)
	key := chain([]byte("AWS4"+c.SecretAccessKey), date)
	key = chain(key, region)
	key = chain(key, service)
	key = chain(key, terminal)
	k := &signingKey{day: day, region: region, id: c.AccessKeyID, secret: c.SecretAccessKey}
	k.scope = date + "/" + region + scopeSuffix
	k.credential = c.AccessKeyID + "/" + k.scope
	k.conditions = appendCondition(append(k.conditions, ','), fieldAlgorithm, algorithm)
	k.conditions = appendCondition(append(k.conditions, ','), fieldCredential, k.credential)
	k.quoted = appendQuoted(nil, k.credential)
	k.encoded = appendEncoded(nil, k.credential)
	states := newHMACStates(key)
	k.pens.New = func() any { return &pen{mac: mac{key: states, hash: sha256.New()}} }
	return k
}

func chain(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text)) // a hash never fails
	return h.Sum(nil)
}

// appendSignature appends the signature of text in lower-case hex.
func (k *signingKey) appendSignature(dst, text []byte) []byte {
	p := k.take()
	dst = p.appendSignature(dst, text)
	k.put(p)
	return dst
}

// appendSignature appends the signature of text in lower-case hex.
func (p *pen) appendSignature(dst, text []byte) []byte {
	p.sign(text)
	return appendHex(dst, &p.sum)
}

// maxKeys bounds a keyring. A gate has one credential, or two while they
// rotate, each with two days around midnight.
const maxKeys = 8

// keyring remembers the keys derived last. Day, region, access key id and
// secret must all be the same for a key to be used again, so neither midnight
// nor a rotated secret can meet an old key. The zero keyring is empty and ready.
// Safe for concurrent use: readers load a list that is never written to again.
type keyring struct {
	keys atomic.Pointer[[]*signingKey]
}

func (r *keyring) key(c Credentials, region string, day int) *signingKey {
	var known []*signingKey
	if p := r.keys.Load(); p != nil {
		known = *p
	}
	for _, k := range known {
		if k.day == day && k.id == c.AccessKeyID && k.region == region && k.secret == c.SecretAccessKey {
			return k
		}
	}
	// Two callers may derive the same key at once; the ring keeps one of them,
	// and a key that is lost this way is only derived again.
	k := newSigningKey(c, region, day)
	next := append(make([]*signingKey, 0, maxKeys), k)
	next = append(next, known[:min(len(known), maxKeys-1)]...)
	r.keys.Store(&next)
	return k
}

// keyAt returns the key for the UTC day of t.
func (r *keyring) keyAt(c Credentials, region string, t time.Time) *signingKey {
	return r.key(c, region, dayOf(t))
}
