package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const head = `# Licences

Postern is under [Apache-2.0](../LICENSE). These are the modules that are linked into the program ` + "`postern`" + `, on any of the systems that it is built for, and the licences of what is linked, each read word by word. Go's standard library and runtime (BSD-3-Clause) come on top. The page and the element have no dependency at run time.

Made by ` + "`make licences`" + `; CI fails when it is stale, or when there is a licence other than %s.

| Module | Version | Licence |
| --- | --- | --- |
`

// report is docs/licences.md: the modules, and below them all texts.
func report(modules []module) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, head, strings.Join(allowed, ", "))
	for _, m := range modules {
		ids, err := licencesOf(m)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", m.path, m.version, strings.Join(ids, " AND "))
	}
	b.WriteString("\n## Texts\n")
	type entry struct {
		of   []string
		body string
	}
	var texts []*entry
	for _, m := range modules {
		for _, f := range m.files {
			body := tidy(f.body)
			i := slices.IndexFunc(texts, func(e *entry) bool { return e.body == body })
			if i < 0 {
				i = len(texts)
				texts = append(texts, &entry{body: body})
			}
			texts[i].of = append(texts[i].of, m.path+"/"+f.name)
		}
	}
	for _, t := range texts {
		fmt.Fprintf(&b, "\n%s:\n\n````text\n%s\n````\n", strings.Join(t.of, ", "), t.body)
	}
	return b.Bytes(), nil
}

var (
	trailing = regexp.MustCompile(`(?m)[ \t\r\f]+$`)
	hollow   = regexp.MustCompile(`\n{3,}`)
)

// tidy takes away what cannot be seen.
func tidy(body []byte) string {
	s := trailing.ReplaceAllString(strings.ToValidUTF8(string(body), "?"), "")
	return hollow.ReplaceAllString(strings.Trim(s, "\n"), "\n\n")
}
