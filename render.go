package postern

// Rendering is what the imaging engine makes of one good picture. The worker
// writes Files to the bucket and notes Image.
type Rendering struct {
	Image Image             // its SHA256 is the caller's to fill in
	Files map[string][]byte // bytes of each of Image.Variants, by name
}

// Probe is what the headers of a picture say, before anything is decoded.
type Probe struct {
	Type   string // media type by the bytes, e.g. "image/png"
	Width  int    // pixels, as coded (before any EXIF turn)
	Height int
	Frames int // of an animation, else 1
	Scans  int // of a JPEG, else 0
}

// Pixels is what opening the picture costs.
func (p Probe) Pixels() int64 { return int64(p.Width) * int64(p.Height) }
