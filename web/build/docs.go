package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// elementPage makes the page /docs/element of docs/element.md. A block of code
// that begins with "html live" is followed by what it makes, at work.
func elementPage(web string) ([]byte, error) {
	text, err := os.ReadFile(filepath.Join(web, "..", "docs", "element.md"))
	if err != nil {
		return nil, err
	}
	md := goldmark.New(
		goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID()),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(live{}, 100))),
	)
	var body bytes.Buffer
	if err := md.Convert(text, &body); err != nil {
		return nil, fmt.Errorf("render docs/element.md: %w", err)
	}
	// Its neighbours are files of the repository, which the gate does not serve.
	html := body.String()
	for _, name := range []string{"protocol", "compat", "pictures", "../examples/react", "../examples/vue"} {
		html = strings.NewReplacer(`<a href="`+name+`.md">`, `<a title="docs/`+name+`.md">`, `<a href="`+name+`">`, `<a title="docs/`+name+`">`).Replace(html)
	}
	html = strings.NewReplacer("<table>", `<div class="wide" tabindex="0"><table>`, "</table>", "</table></div>").Replace(html)
	return []byte(strings.Replace(elementFrame, "{{body}}", html, 1)), nil
}

const elementFrame = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>The element – Postern</title>
<link rel="icon" href="../favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="../page.css">
<script type="module" src="../postern.js"></script>
<body class="docs">
<header><img src="../favicon.svg" alt="" width="32" height="32"><p><a href="..">Postern</a></p></header>
<main>
{{body}}</main>
`

// live renders blocks of code.
type live struct{}

func (live) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindFencedCodeBlock, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		block := n.(*ast.FencedCodeBlock) //nolint:errcheck,forcetypeassert // the kind says so
		code := block.Lines().Value(source)
		fmt.Fprintf(w, "<pre tabindex=\"0\"><code>%s</code></pre>\n", util.EscapeHTML(code))
		if block.Info != nil && string(block.Info.Value(source)) == "html live" {
			fmt.Fprintf(w, "<div class=\"live\">\n%s</div>\n", code)
		}
		return ast.WalkContinue, nil
	})
}
