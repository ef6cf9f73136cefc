package sigv4

import "time"

// Field is one field of a form, or one header.
type Field struct{ Name, Value string }

// Post signs p and returns the fields to add to the form, in this order:
// policy, x-amz-algorithm, x-amz-credential, x-amz-date, x-amz-security-token
// (only with temporary credentials) and x-amz-signature. To the conditions of p,
// which is not changed, it adds one for each of these that needs one; the
// caller's p must have one for the bucket and for each field of his own.
//
// A form is good until p expires or c does, whichever comes first.
func (s *Signer) Post(c Credentials, now time.Time, p *Policy) []Field {
	now = now.UTC()
	k := s.keys.keyAt(c, s.region, now)
	w := k.take()
	policy, stamp, signature := w.post(k, c.SessionToken, now, p)

	// One string for all three, and the fields are parts of it.
	text := string(w.text[policy.start:signature.end])
	cut := func(x span) string { return text[x.start-policy.start : x.end-policy.start] }
	fields := make([]Field, 0, 6)
	fields = append(fields,
		Field{fieldPolicy, cut(policy)},
		Field{fieldAlgorithm, algorithm},
		Field{fieldCredential, k.credential},
		Field{fieldDate, cut(stamp)})
	if c.SessionToken != "" {
		fields = append(fields, Field{fieldToken, c.SessionToken})
	}
	fields = append(fields, Field{fieldSignature, cut(signature)})
	k.put(w)
	return fields
}

// AppendPost does the same as [Signer.Post], but appends the fields to dst as
// members of a JSON object, in the same order, and allocates nothing if dst has
// room: some 350 bytes, 4/3 of the policy's JSON and the token.
//
//	"policy":"eyJ…","x-amz-algorithm":"AWS4-HMAC-SHA256", … ,"x-amz-signature":"3a1…"
//
// Braces, and a comma before it, are for the caller to write. Neither p nor dst
// is held on to, so both may live on the caller's stack.
func (s *Signer) AppendPost(dst []byte, c Credentials, now time.Time, p *Policy) []byte {
	now = now.UTC()
	k := s.keys.keyAt(c, s.region, now)
	w := k.take()
	policy, stamp, signature := w.post(k, c.SessionToken, now, p)

	// Base64, digits and constants need no escape; the others may.
	dst = append(append(dst, `"`+fieldPolicy+`":"`...), w.text[policy.start:policy.end]...)
	dst = append(append(dst, `","`+fieldAlgorithm+`":"`+algorithm+`","`+fieldCredential+`":`...), k.quoted...)
	dst = append(append(dst, `,"`+fieldDate+`":"`...), w.text[stamp.start:stamp.end]...)
	if c.SessionToken != "" {
		dst = appendEscaped(append(dst, `","`+fieldToken+`":"`...), c.SessionToken)
	}
	dst = append(append(dst, `","`+fieldSignature+`":"`...), w.text[signature.start:signature.end]...)
	k.put(w)
	return append(dst, '"')
}

// span is a part of canonicalizer.text.
type span struct{ start, end int }

// post writes to w.text the document of p with the conditions of the signature
// itself and, behind it, the three texts that a form needs of it.
func (w *pen) post(k *signingKey, token string, now time.Time, p *Policy) (policy, stamp, signature span) {
	b := append(p.appendOpen(w.text[:0]), k.conditions...)
	if len(p.Conditions) == 0 { // no comma before the first
		b = append(p.appendOpen(w.text[:0]), k.conditions[1:]...)
	}
	b = append(b, `,{"`+fieldDate+`":"`...)
	day := len(b)
	b = appendStamp(b, now)
	stamped := len(b)
	b = append(b, '"', '}')
	if token != "" {
		b = appendCondition(append(b, ','), fieldToken, token)
	}
	b = append(b, ']', '}')

	policy.start = len(b)
	b = appendBase64(b, b)
	policy.end = len(b)
	stamp.start = len(b)
	b = append(b, b[day:stamped]...)
	stamp.end = len(b)
	signature.start = len(b)
	b = w.appendSignature(b, b[policy.start:policy.end])
	signature.end = len(b)
	w.text = b
	return policy, stamp, signature
}
