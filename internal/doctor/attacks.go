package doctor

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern.example/postern"
)

func attackProbes() []probe {
	forms := append(ready(), "upload.post")
	urls := append(ready(), "upload.put", "upload.multipart")
	return []probe{
		{id: "attack.size", after: append(slices.Clone(forms), "upload.put"), run: probeSize},
		{id: "attack.type", after: append(slices.Clone(forms), "upload.put"), run: probeType},
		{id: "attack.key", after: append(slices.Clone(forms), "upload.put"), run: probeKey},
		{id: "attack.expired", after: append(slices.Clone(forms), "upload.put"), run: probeExpired},
		{id: "attack.tampered", after: append(slices.Clone(forms), "upload.put"), run: probeTampered},
		{id: "attack.field", after: forms, run: probeField},
		{id: "attack.put-length", after: urls, run: probePutLength},
		{id: "attack.headers", after: urls, run: probeHeaders},
		{id: "attack.replay", after: append(slices.Clone(forms), "upload.put"), run: probeReplay},
	}
}

// lie is one attempt that has to be refused.
type lie struct {
	what  string // "a file that is larger than was signed"
	key   string
	send  func(context.Context) (*answer, error)
	cause string // when it got through
	cure  string
}

// refuses tries lies, all of which the bucket has to refuse. A server that fails
// has not refused.
func (x *exam) refuses(ctx context.Context, title string, lies ...lie) []Finding {
	f := Finding{Status: OK, Title: title}
	var tried, said []string
	for _, l := range lies {
		got, err := l.send(ctx)
		if err != nil {
			return []Finding{x.silent(title, l.what, err)}
		}
		tried, said = append(tried, l.what), append(said, got.String())
		f.RequestID = got.RequestID
		if got.ok() {
			f.Status, f.Tried, f.Got, f.Cause, f.Cure = Fault, l.what, got.String(), l.cause, l.cure
			return []Finding{f}
		}
		if got.broken() {
			return []Finding{x.refused(Warn, title, l.what, anything, got)}
		}
	}
	if len(lies) == 0 {
		f.Status, f.Got = Skipped, "nothing of the kind is sent here"
		return []Finding{f}
	}
	slices.Sort(said)
	f.Tried, f.Got = strings.Join(tried, "; "), strings.Join(slices.Compact(said), "; ")
	return []Finding{f}
}

// broken says whether the server failed, which tells nothing of what it allows.
// 501 is a refusal: it will always be one.
func (a *answer) broken() bool {
	return a.Status >= http.StatusInternalServerError && a.Status != http.StatusNotImplemented
}

// posted is a lie that is told by a form.
func (x *exam) posted(fields []field, file []byte) func(context.Context) (*answer, error) {
	return func(ctx context.Context) (*answer, error) { return x.post(ctx, fields, file, "") }
}

// asked is a lie that is told by a URL.
func (x *exam) asked(a ask, err error, file []byte, change func(*ask)) func(context.Context) (*answer, error) {
	return func(ctx context.Context) (*answer, error) {
		if err != nil {
			return nil, err
		}
		a.header = a.header.Clone()
		if a.header == nil {
			a.header = http.Header{}
		}
		a.body = file
		if change != nil {
			change(&a)
		}
		return x.do(ctx, a)
	}
}

const (
	laxServer = "do not use this server for uploads by strangers; the check still rejects what it does not allow, but anybody can fill the bucket"
)

func probeSize(ctx context.Context, x *exam) []Finding {
	var lies []lie
	if x.takesForms() {
		over, under := x.incoming("over"), x.incoming("under")
		cause := fmt.Sprintf("%s does not hold a form to the size range of its policy.", x.provider())
		lies = append(lies,
			lie{"a form with one byte more than was signed", over, x.posted(x.form(permit{key: over, min: 1, max: testLimit}), x.content(testLimit+1)), cause, laxServer},
			lie{"a form with fewer bytes than were signed", under, x.posted(x.form(permit{key: under, min: testSize, max: testLimit}), x.content(testSize-1)), cause, laxServer},
			lie{"a form with an empty file", under, x.posted(x.form(permit{key: under, min: 1, max: testLimit}), nil), cause, laxServer})
	}
	return x.refuses(ctx, "a file of another size than was signed is refused", lies...)
}

func probeType(ctx context.Context, x *exam) []Finding {
	var lies []lie
	cause := fmt.Sprintf("%s does not hold an upload to the type that was signed: a page of HTML could be stored as one.", x.provider())
	if x.takesForms() {
		key := x.incoming("type")
		lies = append(lies, lie{"a form that says text/html", key, x.posted(with(x.form(permit{key: key, min: 1, max: testLimit}), "Content-Type", "text/html"), x.content(testSize)), cause, laxServer})
	}
	if x.uses(postern.Put) {
		key := x.incoming("type-put")
		a, err := x.put(permit{key: key}, testSize)
		lies = append(lies, lie{"a PUT that says text/html", key, x.asked(a, err, x.content(testSize), func(a *ask) { a.header.Set("Content-Type", "text/html") }), cause, laxServer})
	}
	return x.refuses(ctx, "a file of another type than was signed is refused", lies...)
}

// with is fields with one changed, or added before the rest.
func with(fields []field, name, value string) []field {
	list := slices.Clone(fields)
	for i := range list {
		if strings.EqualFold(list[i].name, name) {
			list[i].value = value
			return list
		}
	}
	return append([]field{{name, value}}, list...)
}

func probeKey(ctx context.Context, x *exam) []Finding {
	var lies []lie
	cause := fmt.Sprintf("%s lets a permission for one key be used for another: everybody could overwrite everything.", x.provider())
	other, beyond := x.incoming("key-other"), x.key(postern.ImagesPrefix, "key")
	if x.takesForms() {
		fields := x.form(permit{key: x.incoming("key"), min: 1, max: testLimit})
		lies = append(lies,
			lie{"a form under another key", other, x.posted(with(fields, "key", other), x.content(testSize)), cause, laxServer},
			lie{"a form into images/", beyond, x.posted(with(fields, "key", beyond), x.content(testSize)), cause, laxServer})
	}
	if x.uses(postern.Put) {
		a, err := x.put(permit{key: x.incoming("key-put")}, testSize)
		lies = append(lies, lie{"a PUT to another key", other, x.asked(a, err, x.content(testSize), func(a *ask) { a.url = strings.Replace(a.url, "-key-put", "-key-other", 1) }), cause, laxServer})
	}
	return x.refuses(ctx, "a permission is good for its own key alone", lies...)
}

func probeExpired(ctx context.Context, x *exam) []Finding {
	var lies []lie
	ago := x.now().Add(-testLife - 10*time.Minute)
	cause := fmt.Sprintf("%s takes permissions that have run out.", x.provider())
	if x.takesForms() {
		key := x.incoming("expired")
		lies = append(lies, lie{"a form that ran out ten minutes ago", key, x.posted(x.form(permit{key: key, min: 1, max: testLimit, at: ago}), x.content(testSize)), cause, laxServer})
	}
	if x.uses(postern.Put) || x.uses(postern.Multi) {
		key := x.incoming("expired-put")
		a, err := x.put(permit{key: key, at: ago}, testSize)
		lies = append(lies, lie{"a PUT URL that ran out ten minutes ago", key, x.asked(a, err, x.content(testSize), nil), cause, laxServer})
	}
	return x.refuses(ctx, "a permission that has run out is refused", lies...)
}

func probeTampered(ctx context.Context, x *exam) []Finding {
	const title = "a permission that was changed is refused"
	var lies []lie
	if x.takesForms() {
		cause := fmt.Sprintf("%s does not check the signature of forms: anybody can write anything.", x.provider())
		key := x.incoming("tampered")
		fields := x.form(permit{key: key, min: 1, max: testLimit})
		policy, err := base64.StdEncoding.DecodeString(valueOf(fields, "policy"))
		if err != nil {
			return []Finding{x.silent(title, "read our own policy", err)}
		}
		wider := bytes.Replace(policy, []byte(strconv.Itoa(testLimit)), []byte(strconv.Itoa(testLimit*1000)), 1)
		lies = append(lies,
			lie{"a form with a wider policy and the old signature", key, x.posted(with(fields, "policy", base64.StdEncoding.EncodeToString(wider)), x.content(testSize)), cause, laxServer},
			lie{"a form with another signature", key, x.posted(with(fields, "x-amz-signature", forged(valueOf(fields, "x-amz-signature"))), x.content(testSize)), cause, laxServer})
	}
	if x.uses(postern.Put) {
		cause := fmt.Sprintf("%s does not check the signature of URLs: anybody can write anything.", x.provider())
		key := x.incoming("tampered-put")
		a, err := x.put(permit{key: key}, testSize)
		changed := func(name string, change func(string) string) func(*ask) {
			return func(a *ask) { a.url = requeried(a.url, name, change) }
		}
		lies = append(lies,
			lie{"a PUT URL with a longer life", key, x.asked(a, err, x.content(testSize), changed("X-Amz-Expires", func(string) string { return "86400" })), cause, laxServer},
			lie{"a PUT URL with another signature", key, x.asked(a, err, x.content(testSize), changed("X-Amz-Signature", forged)), cause, laxServer})
	}
	return x.refuses(ctx, title, lies...)
}

// valueOf is the value of a form's field; "" when there is none.
func valueOf(fields []field, name string) string {
	i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return ""
	}
	return fields[i].value
}

// forged is another signature of the same form.
func forged(signature string) string {
	if rest, was := strings.CutPrefix(signature, "0"); was {
		return "1" + rest
	}
	return "0" + signature[min(1, len(signature)):]
}

// requeried is address with one parameter of its query changed.
func requeried(address, name string, change func(string) string) string {
	before, query, _ := strings.Cut(address, "?")
	params := strings.Split(query, "&")
	for i, p := range params {
		if n, value, _ := strings.Cut(p, "="); n == name {
			params[i] = n + "=" + change(value)
		}
	}
	return before + "?" + strings.Join(params, "&")
}

func probeField(ctx context.Context, x *exam) []Finding {
	const title = "a form with a field that its policy does not name is refused"
	if !x.takesForms() {
		return skipped(title, "no preset sends forms")
	}
	cause := fmt.Sprintf("%s takes fields that the policy of a form does not name: who may upload can say how it is stored and who may read it.", x.provider())
	key := x.incoming("field")
	fields := x.form(permit{key: key, min: 1, max: testLimit})
	var lies []lie
	for _, f := range []field{{"acl", "public-read"}, {"x-amz-meta-more", "1"}, {"Cache-Control", "max-age=1"}} {
		lies = append(lies, lie{"a form with the field " + f.name, key, x.posted(with(fields, f.name, f.value), x.content(testSize)), cause, laxServer})
	}
	return x.refuses(ctx, title, lies...)
}

func probePutLength(ctx context.Context, x *exam) []Finding {
	const title = "a PUT of another length than was signed is refused"
	if !x.uses(postern.Put) && !x.uses(postern.Multi) {
		return skipped(title, "no preset sends by URL")
	}
	cause := fmt.Sprintf("%s does not hold a PUT to the length that was signed: one permission is good for a file of any size.", x.provider())
	key := x.incoming("length")
	a, err := x.put(permit{key: key}, testSize)
	return x.refuses(ctx, title,
		lie{"a PUT with one byte more", key, x.asked(a, err, x.content(testSize+1), nil), cause, laxServer},
		lie{"a PUT with one byte less", key, x.asked(a, err, x.content(testSize-1), nil), cause, laxServer})
}

// probeHeaders adds headers that were not signed to a signed URL. AWS refuses
// them (HeadersNotSigned); some servers obey.
func probeHeaders(ctx context.Context, x *exam) []Finding {
	const title = "headers that a signed URL does not cover are refused"
	if !x.uses(postern.Put) && !x.uses(postern.Multi) {
		return skipped(title, "no preset sends by URL")
	}
	source := x.key(postern.ImagesPrefix, "secret")
	secret := []byte("not for everybody: " + x.name)
	if got, err := x.do(ctx, ask{method: http.MethodPut, key: source, body: secret, signed: &x.worker}); err != nil || !got.ok() {
		return skipped(title, "the worker's key could not put a file into images/ to try it with")
	}
	key := x.incoming("copy")
	a, err := x.put(permit{key: key}, testSize)
	got, err := x.asked(a, err, x.content(testSize), func(a *ask) { a.header.Set("X-Amz-Copy-Source", "/"+x.c.Bucket+"/"+source) })(ctx)
	if err != nil {
		return []Finding{x.silent(title, "PUT with an x-amz-copy-source", err)}
	}
	f := Finding{Status: OK, Title: title, Tried: "a signed PUT with x-amz-copy-source, and one with x-amz-acl", Got: got.String(), RequestID: got.RequestID}
	if got.ok() {
		stolen, err := x.do(ctx, ask{key: key, signed: &x.worker})
		if err == nil && bytes.Equal(stolen.Body, secret) {
			f.Status = Fault
			f.Cause = fmt.Sprintf("%s obeys an x-amz-copy-source that was not signed, and the signing key may read: whoever has a URL can copy other people's files into his own.", x.provider())
			f.Cure = x.fill("sign with a key that may only put below incoming/: {setup} --user NAME; or transfer: post in the presets", nil)
			return []Finding{f}
		}
	}
	open := x.incoming("acl")
	a, err = x.put(permit{key: open}, testSize)
	got, err = x.asked(a, err, x.content(testSize), func(a *ask) { a.header.Set("X-Amz-Acl", "public-read") })(ctx)
	if err != nil {
		return []Finding{x.silent(title, "PUT with an x-amz-acl", err)}
	}
	f.Got += "; " + got.String()
	if !got.ok() {
		return []Finding{f}
	}
	if seen, err := x.do(ctx, ask{key: open}); err == nil && seen.ok() {
		f.Status = Fault
		f.Cause = fmt.Sprintf("%s obeys an x-amz-acl that was not signed: whoever has a URL can make what he sent public, unchecked, from your bucket.", x.provider())
		f.Cure = x.fill("block public access: {setup}; or transfer: post in the presets", nil)
		return []Finding{f}
	}
	f.Got += ", which made nothing public"
	return []Finding{f}
}

// probeReplay says what happens when a permission is used twice. That it can be
// is S3's way; what was checked does not change by it.
func probeReplay(ctx context.Context, x *exam) []Finding {
	const title = "a permission that is used twice does no harm"
	if !x.takesForms() {
		return skipped(title, "no preset sends forms; used PUT URLs are upload.overwrite's")
	}
	key := x.incoming("replay")
	fields := x.form(permit{key: key, min: 1, max: testLimit})
	f := Finding{Status: OK, Title: title, Tried: "the same form twice, with two files"}
	var said []string
	for _, file := range [][]byte{x.content(testSize), x.content(testSize - 1)} {
		got, err := x.post(ctx, fields, file, "")
		if err != nil {
			return []Finding{x.silent(title, f.Tried, err)}
		}
		said, f.RequestID = append(said, got.String()), got.RequestID
	}
	f.Got = strings.Join(said, ", then ") + ": forms can be used until they run out, and the gate shows only what it has made of the bytes that it has checked"
	return []Finding{f}
}
