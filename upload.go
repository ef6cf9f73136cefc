package postern

import "time"

// State is where an upload stands.
//
//	granted → stored → ready | rejected | failed     granted → expired
//
// Records begin at stored: granted and expired are read off the id itself.
type State string

// The states of an upload.
const (
	Granted  State = "granted"  // signed for; nothing has arrived
	Stored   State = "stored"   // the bytes are in the bucket; the check is due
	Ready    State = "ready"    // checked; its variants can be seen
	Rejected State = "rejected" // the file is at fault; Problem says why
	Failed   State = "failed"   // we are at fault, after all retries
	Expired  State = "expired"  // the grant ran out unused

	// Removed uploads are remembered only so that a replayed grant cannot
	// bring them back. They are never shown.
	Removed State = "removed"
)

// Final reports whether no further change of state is to come by itself.
func (s State) Final() bool {
	return s == Ready || s == Rejected || s == Failed || s == Expired || s == Removed
}

// Upload is one file on its way, or arrived.
type Upload struct {
	Ticket // what was granted, and to whom

	State     State
	Size      int64  // bytes that arrived
	ETag      string // of the object as it was when its arrival was noted
	Image     *Image // when ready
	Problem   *Error // when rejected or failed; its Err is not kept
	StoredAt  time.Time
	SettledAt time.Time // zero until the state is final
	Trail     Trail     // of the request that announced its arrival
}

// Key is where the browser's bytes lie until they are checked.
func (u *Upload) Key() string { return IncomingPrefix + string(u.ID) }

// Image is what the check found out about a good picture.
type Image struct {
	Type        string    `json:"type"`        // what the bytes are, which may differ from what was declared
	Width       int       `json:"width"`       // pixels, upright
	Height      int       `json:"height"`      // pixels, upright
	SHA256      []byte    `json:"sha256"`      // of the bytes as uploaded
	Placeholder []byte    `json:"placeholder"` // ThumbHash
	Color       string    `json:"color"`       // dominant, "#rrggbb"
	Variants    []Variant `json:"variants"`    // smallest first
}

// Variant is one picture we made from an upload.
type Variant struct {
	Name   string `json:"name"`
	Type   string `json:"type"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	Size   int64  `json:"size"` // bytes
}

// VariantKey is where a variant of an upload lies in the bucket.
func VariantKey(id ID, name string) string { return ImagesPrefix + string(id) + "/" + name }
