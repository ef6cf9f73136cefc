package postern

import "fmt"

// Transfer is a way in which a file's bytes travel from the browser to the
// bucket. The guarantees are the same on each: one key, a size, a type, a hash
// if there is one, the ticket, minutes of life.
type Transfer string

// The transfers there are.
const (
	// Auto picks by the file's size and by what the provider has.
	Auto Transfer = "auto"
	// Post is a form with a signed policy; the only one that bounds a size that
	// the client does not say.
	Post Transfer = "post"
	// Put is a signed URL and headers; the file's size must be said.
	Put Transfer = "put"
	// Multi is an upload in parts, each with a signed URL.
	Multi Transfer = "multipart"
)

// S3's rules for uploads in parts ("Amazon S3 multipart upload limits" in the
// S3 user guide).
const (
	MinPartSize = 5 << 20 // bytes, but for the last part
	MaxPartSize = 5 << 30 // bytes
	MaxParts    = 10_000
	maxInParts  = 5 << 40 // bytes of an object
)

// partSizeFor returns the preset's part size, or what more is needed to keep
// size bytes within MaxParts, in whole MiB.
func (p *Preset) partSizeFor(size int64) int64 {
	const mib = 1 << 20
	needed := (size + MaxParts - 1) / MaxParts
	return max(p.PartSize, (needed+mib-1)/mib*mib)
}

// CheckTransfers says what is wrong with the preset's transfer on a provider.
func (p *Preset) CheckTransfers(on Provider) error {
	if p.Transfer == Post && on.Post == No {
		return fmt.Errorf("preset %q: transfer: %s has no form uploads (POST); use put, multipart or auto", p.Name, on.Title)
	}
	return nil
}

// SignsURLs says whether signed URLs (PUT, parts) are handed out without a
// preset saying so. Some servers obey an x-amz-copy-source that the signature
// does not cover, and read with the signing key what is not the client's: there
// it takes a key that can read nothing. Where that is not known and forms are
// to be had, forms are what there is.
func (t *Target) SignsURLs() bool {
	return t.Apart || t.Provider.SignedHeaders == Yes || t.Provider.Post != Yes
}

// Whole is how a file travels in one piece when nobody says how: as the provider
// has it, but by Put where a form cannot be signed by a key that may write below
// incoming/ alone, and there is such a key.
func (t *Target) Whole() Transfer {
	if t.Apart && t.Provider.PostByKey == No {
		return Put
	}
	return t.Provider.Whole()
}

// Transfers is how the preset's files travel to a bucket: whole, in parts, or
// both, by size; whole files first.
func (p *Preset) Transfers(to *Target) []Transfer {
	if p.Transfer != Auto {
		return []Transfer{p.Transfer}
	}
	whole := to.Whole()
	switch {
	case p.MaxBytes < p.MultipartFrom || !to.SignsURLs():
		return []Transfer{whole}
	case p.MinBytes >= p.MultipartFrom && whole == Put:
		return []Transfer{Multi}
	}
	return []Transfer{whole, Multi}
}

// transferFor picks how a file of size bytes travels (nil: the size was not
// said), for a client that can do wanted only, or anything when that is empty.
// Errors: ErrTransfer, ErrSizeRequired.
func (p *Preset) transferFor(to *Target, wanted Transfer, size *int64) (Transfer, error) {
	t, on := p.Transfer, &to.Provider
	if wanted != "" && wanted != Auto {
		if t != Auto && t != wanted {
			return "", ErrTransfer.With("Uploads of the preset %q travel by %s; this client needs %s.", p.Name, t.words(), wanted.words())
		}
		if t == Auto && wanted != Post && !to.SignsURLs() {
			return "", ErrTransfer.With("This bucket takes files by form (POST) only; this client needs %s.", wanted.words())
		}
		t = wanted
	}
	if t == Auto {
		if t = to.Whole(); size != nil && *size >= p.MultipartFrom && to.SignsURLs() {
			t = Multi
		}
	}
	switch {
	case t == Post && on.Post == No:
		return "", ErrTransfer.With("%s has no form uploads (POST), which this client needs.", on.Title)
	case t != Multi && size != nil && *size > maxObjectBytes:
		e := ErrTooLarge.With("A file of over %s must travel in parts.", Bytes(maxObjectBytes))
		e.Field, e.Limit = "size", maxObjectBytes
		return "", e
	case t == Put && size == nil, t == Multi && size == nil && wanted != Multi:
		// A signed URL can bind one exact length and no range; only the
		// protocols of compat are let do without, where we watch the parts.
		e := ErrSizeRequired.With("Say the file's size: uploads by %s are signed for an exact one.", t.words())
		e.Field = "size"
		return "", e
	}
	return t, nil
}

func (t Transfer) words() string {
	switch t {
	case Post:
		return "form (POST)"
	case Put:
		return "PUT"
	case Multi:
		return "parts (multipart)"
	}
	return string(t)
}
