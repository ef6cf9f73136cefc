package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"postern.example/postern"
)

// file is what a settings file says. Everything in it is checked, also what a
// flag or a variable overrides.
type file struct {
	path      string
	values    map[string]filed // by key
	presets   []postern.Preset
	presetsAt string
}

type filed struct {
	raw []string
	at  string // path:line:column
}

// parseFile reads settings strictly: a key that no setting has, a key given
// twice and a value of the wrong kind are errors with line and column.
func parseFile(path string, text []byte) (f *file, err error) {
	defer func() {
		// goccy/go-yaml 1.19.2 panics on some broken files; one is a seed of
		// FuzzParseFile.
		if recover() != nil {
			f, err = nil, misused("", "%s: the file is not YAML", path)
		}
	}()
	f = &file{path: path, values: map[string]filed{}}
	doc, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, f.positioned(err, nil)
	}
	if len(doc.Docs) > 1 {
		return nil, f.wrong(tokenOf(doc.Docs[1].Body), "there is more than one document in the file")
	}
	if len(doc.Docs) == 0 || doc.Docs[0].Body == nil {
		return f, nil
	}
	pairs, ok := pairsOf(doc.Docs[0].Body)
	if !ok {
		return nil, f.wrong(tokenOf(doc.Docs[0].Body), "the file must be a list of \"setting: value\" lines")
	}
	rows := table()
	for _, p := range pairs {
		at := p.Key.GetToken()
		key := at.Value
		if key == "presets" {
			if err := f.parsePresets(at, p.Value); err != nil {
				return nil, err
			}
			continue
		}
		if kinds, ok := pairsOf(p.Value); ok && key == "auth" {
			if err := f.parseAuth(rows, at, kinds); err != nil {
				return nil, err
			}
			continue
		}
		if err := f.parsePair(rows, "", p); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// parsePair reads one setting, of the given kind of sign-in if there is one.
func (f *file) parsePair(rows []setting, kind string, p *ast.MappingValueNode) error {
	at := p.Key.GetToken()
	key := at.Value
	i := slices.IndexFunc(rows, func(x setting) bool { return x.kind == kind && x.key() == key })
	if i < 0 {
		return misused("Settings: "+knownKeys(rows, kind)+".", "%s: there is no setting %q", f.at(at), key)
	}
	x := &rows[i]
	if x.apart {
		return misused(fmt.Sprintf("Set the variable %s.", x.env[0]), "%s: %q cannot be set in the file", f.at(at), key)
	}
	raw, err := valuesOf(p.Value, x.into(&settings{}))
	if err != nil {
		return f.wrong(tokenOf(p.Value), "%s %w", key, err)
	}
	if err := x.set(&settings{}, raw); err != nil {
		return f.wrong(tokenOf(p.Value), "%s: %w", key, err)
	}
	f.values[x.path()] = filed{raw, f.at(tokenOf(p.Value))}
	return nil
}

// parseAuth reads the kinds of sign-in, each with its settings, if it has any.
func (f *file) parseAuth(rows []setting, at *token.Token, kinds []*ast.MappingValueNode) error {
	var list []string
	for _, k := range kinds {
		name := k.Key.GetToken()
		i := slices.IndexFunc(rows, func(x setting) bool { return x.name == "auth" })
		if err := rows[i].check(name.Value); err != nil {
			return f.wrong(name, "auth: %w", err)
		}
		list = append(list, name.Value)
		if _, nothing := k.Value.(*ast.NullNode); nothing {
			continue
		}
		pairs, ok := pairsOf(k.Value)
		if !ok {
			return f.wrong(tokenOf(k.Value), "%s must be a list of \"setting: value\" lines, or nothing", name.Value)
		}
		for _, p := range pairs {
			if err := f.parsePair(rows, name.Value, p); err != nil {
				return err
			}
		}
	}
	f.values["auth"] = filed{list, f.at(at)}
	return nil
}

func (f *file) parsePresets(at *token.Token, n ast.Node) error {
	list, ok := n.(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		return f.wrong(tokenOf(n), "presets must be a list of presets")
	}
	f.presetsAt = f.at(at)
	for _, item := range list.Values {
		var p postern.Preset
		if err := yaml.NodeToValue(item, &p, yaml.Strict()); err != nil {
			return f.positioned(err, tokenOf(item))
		}
		f.presets = append(f.presets, p)
	}
	return nil
}

func pairsOf(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// valuesOf returns the text of a value that fits the setting's type.
func valuesOf(n ast.Node, into any) ([]string, error) {
	if tagged, ok := n.(*ast.TagNode); ok {
		n = tagged.Value
	}
	_, text := n.(*ast.StringNode)
	switch into.(type) {
	case *[]string:
		list, ok := n.(*ast.SequenceNode)
		if !ok && text {
			break // a list of one
		} else if !ok {
			return nil, errors.New("must be a text or a list of texts")
		}
		var raw []string
		for _, item := range list.Values {
			v, err := valuesOf(item, new(string))
			if err != nil {
				return nil, errors.New("must be a list of texts")
			}
			raw = append(raw, v...)
		}
		return raw, nil
	case *bool:
		if b, ok := n.(*ast.BoolNode); ok {
			return []string{fmt.Sprint(b.Value)}, nil
		}
		return nil, errors.New("must be true or false")
	case *int:
		if i, ok := n.(*ast.IntegerNode); ok {
			return []string{fmt.Sprint(i.Value)}, nil
		}
		return nil, errors.New("must be a whole number")
	}
	if !text {
		return nil, errors.New("must be a text")
	}
	return []string{n.(*ast.StringNode).Value}, nil
}

// tokenOf is where a node begins; nil when there is none.
func tokenOf(n ast.Node) *token.Token {
	if n == nil {
		return nil
	}
	return n.GetToken()
}

func (f *file) at(t *token.Token) string {
	if t == nil || t.Position == nil {
		return f.path
	}
	return fmt.Sprintf("%s:%d:%d", f.path, t.Position.Line, t.Position.Column)
}

func (f *file) wrong(t *token.Token, format string, args ...any) error {
	return misused("", "%s: %w", f.at(t), fmt.Errorf(format, args...))
}

// positioned turns the library's error, several lines with an excerpt, into
// one line. Where it has no position of its own it gets that of near.
func (f *file) positioned(err error, near *token.Token) error {
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil {
		return f.wrong(e.GetToken(), "%s", e.GetMessage())
	}
	if near != nil {
		return f.wrong(near, "%w", err)
	}
	return misused("", "%s: %w", f.path, err)
}

func knownKeys(rows []setting, kind string) string {
	var keys []string
	for _, x := range rows {
		if !x.apart && x.kind == kind {
			keys = append(keys, x.key())
		}
	}
	if kind == "" {
		keys = append(keys, "presets")
	}
	return strings.Join(keys, ", ")
}
