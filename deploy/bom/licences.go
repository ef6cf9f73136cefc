package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// allowed are the licences that may be linked, by their SPDX ids: none of them
// asks anything of your own code.
var allowed = []string{"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "MPL-2.0", "ISC", "Unlicense", "blessing"}

// words are a licence's words alone, in lower case, as lines, quotes, lists and
// ornaments differ.
func words(body []byte) string {
	return strings.TrimSpace(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(string(body)), " "))
}

// The licences as words. What may differ is a name; what stands before is a
// title and copyright lines.
const (
	before = `^(?:\S+ ){0,90}?`
	mit    = `permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files the software to deal in the software without restriction including without limitation the rights to use copy modify merge publish distribute sublicense and or sell copies of the software and to permit persons to whom the software is furnished to do so subject to the following conditions the above copyright notice and this permission notice (?:including the next paragraph )?shall be included in all copies or substantial portions of the software the software is provided as is without warranty of any kind express or implied including but not limited to the warranties of merchantability fitness for a particular purpose and noninfringement in no event shall the (?:authors or copyright holders|\S+(?: \S+){0,5}) be liable for any claim damages or other liability whether in an action of contract tort or otherwise arising from out of or in connection with the software or the use or other dealings in the software(?: http www opensource org licenses mit license php)?$`
	bsd    = `redistribution and use in source and binary forms with or without modification are permitted provided that the following conditions are met (?:1 )?redistributions of source code must retain the above copyright notice this list of conditions and the following disclaimer (?:2 )?redistributions in binary form must reproduce the above copyright notice this list of conditions and the following disclaimer in the documentation and or other materials provided with the distribution `
	third  = `(?:3 )?neither the names? of (?:\S+ ){1,12}?(?:may|nor) (?:the names of )?(?:\S+ ){0,6}?(?:may )?be used to endorse or promote products derived from this software without specific prior written permission `
	asis   = `this software is provided by (?:the )?(?:\S+ ){1,8}?as is and any express or implied warranties including but not limited to the implied warranties of merchantability and fitness for a particular purpose are disclaimed in no event shall (?:the )?(?:\S+ ){1,8}?be liable for any direct indirect incidental special exemplary or consequential damages including but not limited to procurement of substitute goods or services loss of use data or profits or business interruption however caused and on any theory of liability whether in contract strict liability or tort including negligence or otherwise arising in any way out of the use of this software even if advised of the possibility of such damage$`
	isc    = `permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted provided that the above copyright notice and this permission notice appear in all copies the software is provided as is and the author disclaims all warranties with regard to this software including all implied warranties of merchantability and fitness in no event shall the author be liable for any special direct indirect or consequential damages or any damages whatsoever resulting from loss of use data or profits whether in an action of contract negligence or other tortious action arising out of or in connection with the use or performance of this software$`
)

var known = []struct {
	id   string
	text *regexp.Regexp
}{
	{"MIT", regexp.MustCompile(before + mit)},
	{"BSD-3-Clause", regexp.MustCompile(before + bsd + third + asis)},
	{"BSD-2-Clause", regexp.MustCompile(before + bsd + asis)},
	{"ISC", regexp.MustCompile(before + isc)},
	{"Apache-2.0", regexp.MustCompile(`^apache license version 2 0 january 2004 http www apache org licenses terms and conditions for use reproduction and distribution 1 definitions .* 2 grant of copyright license .* 3 grant of patent license .* 4 redistribution .* 5 submission of contributions .* 6 trademarks .* 7 disclaimer of warranty .* 8 limitation of liability .* 9 accepting warranty or additional liability .* additional liability(?: end of terms and conditions)?(?: (?:\S+ ){0,180}\S+)?$`)},
	{"MPL-2.0", regexp.MustCompile(`^mozilla public license version 2 0 1 definitions .* exhibit a source code form license notice .* exhibit b incompatible with secondary licenses notice .*$`)},
	{"Unlicense", regexp.MustCompile(`^this is free and unencumbered software released into the public domain .* http (?:www )?unlicense org$`)},
}

// classify tells which licence a text is, word by word; empty: none of ours.
func classify(body []byte) string {
	w := words(body)
	for _, k := range known {
		if k.text.MatchString(w) {
			return k.id
		}
	}
	return ""
}

// reviewed are texts that are no licence of ours word by word, and were read by
// a person: the SHA-256 of what was read, so that it is read again when it
// changes, and what it comes to.
var reviewed = map[string]string{
	// modernc.org/libc: of Go, musl (with parts under BSD licences), go-netdb and
	// nixpkgs, each with its text.
	"f597097efe3d97021f89170746bd3a0fb9a8b6fb26b82043ed68a4e0283bee6c": "BSD-3-Clause AND MIT AND BSD-2-Clause",
	// modernc.org/sqlite: a table of what is linked (BSD-3-Clause, MIT, SQLite) and
	// of what only its tests and tools use, with all texts.
	"4194f8e7119be72babd499db4f6f1f7547e36e8a7bffcb2b9c8df241b8f1576a": "BSD-3-Clause AND MIT AND blessing",
	// SQLite is in the public domain; SPDX calls that its blessing.
	"8438c9c89b849131ead81d5435cb97fcf052df5b0b286dda8a2d4c29e6cb3fd0": "blessing",
	// go.opentelemetry.io: Apache-2.0, and Go's licence for what is from there.
	"1ae07514be1d7bb33f0698f8d91fb51b8b9fe1463157ec1c72081a49b9bc6f40": "Apache-2.0 AND BSD-3-Clause",
	// modernc.org/memory: where the picture in its README is from. Not linked.
	"5ae5bee3072a841376451b48d8cfcec7188e10543926d5870828d36c8a750dc5": notLinked,
}

const notLinked = "-"

// notice reports whether a file grants nothing that has to be allowed: it names
// people, or gives patent rights on top.
func notice(name string) bool {
	n := strings.ToLower(path.Base(name))
	return strings.HasPrefix(n, "notice") || strings.HasPrefix(n, "patents")
}

// licencesOf are the licences of a module, the first that of its root.
func licencesOf(m module) ([]string, error) {
	var ids []string
	for _, f := range m.files {
		if notice(f.name) {
			continue
		}
		id := classify(f.body)
		if id == "" {
			sum := sha256.Sum256(f.body)
			if id = reviewed[hex.EncodeToString(sum[:])]; id == "" {
				return nil, fmt.Errorf("%s %s: %s is no licence that is allowed, word by word; read it, and note it in deploy/bom/licences.go: %x", m.path, m.version, f.name, sum)
			}
		}
		if id == notLinked {
			continue
		}
		for one := range strings.SplitSeq(id, " AND ") {
			if !slices.Contains(allowed, one) {
				return nil, fmt.Errorf("%s %s: %s is %s, which is not allowed", m.path, m.version, f.name, one)
			}
			if !slices.Contains(ids, one) {
				ids = append(ids, one)
			}
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s %s has no licence", m.path, m.version)
	}
	return ids, nil
}
