package imaging

import (
	"bytes"
	"encoding/binary"
)

// usableProfile returns b when it is a well-formed colour profile of RGB or
// grey (ICC.1:2022, section 7.2 and 7.3), else nil.
//
// A profile is the only thing of a source that is served, so it may not carry
// a second file for sniffers: one with markup or an archive in it is dropped.
func usableProfile(b []byte) []byte {
	if len(b) < 132 || len(b) > maxICC || int64(binary.BigEndian.Uint32(b)) != int64(len(b)) ||
		string(b[36:40]) != "acsp" || !profileFits(b, true) && !profileFits(b, false) {
		return nil
	}
	tags := int64(binary.BigEndian.Uint32(b[128:]))
	if tags > 100 || 132+12*tags > int64(len(b)) {
		return nil
	}
	for t := b[132:]; tags > 0; t, tags = t[12:], tags-1 {
		if int64(binary.BigEndian.Uint32(t[4:]))+int64(binary.BigEndian.Uint32(t[8:])) > int64(len(b)) {
			return nil
		}
	}
	low := bytes.ToLower(b)
	for _, s := range []string{
		"<script", "<html", "<!doctype", "<body", "<svg", "<iframe", "<img", "<?php", "<?xml",
		"javascript:", "%pdf-", "pk\x03\x04", "\x7felf",
	} {
		if bytes.Contains(low, []byte(s)) {
			return nil
		}
	}
	return b
}

// profileFits reports whether a profile is one for grey, or for RGB, samples.
func profileFits(b []byte, grey bool) bool {
	if grey {
		return string(b[16:20]) == "GRAY"
	}
	return string(b[16:20]) == "RGB "
}
