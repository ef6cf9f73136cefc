// Package imaging finds out what a file is, whether it may be opened, and
// makes the variants, the placeholder and the colour of a good picture.
//
// The bytes decide, never what a client said: kinds are told by their first
// bytes against an allow-list (JPEG, PNG, GIF, WebP), dimensions, frames and
// scans are read by walking the file's blocks, and only what is within the
// limits is decoded, by Go's own memory-safe decoders. What comes out is
// encoded anew and carries the colour profile and nothing else: no EXIF, no
// place, no tail behind the end of the picture.
//
// The way of a photo: decode to the planes it is coded in (Y, Cb, Cr), scale
// these with fixed-point arithmetic, the next smaller variant from the last,
// turn the small planes as EXIF says, encode. Full-size RGB is never made of a
// JPEG, which is most of the speed and the memory saved.
package imaging
