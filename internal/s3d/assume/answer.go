package assume

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Answer is a response that was read to its end. Its methods each add a check
// and return it, so that checks can be put in a row; the first that fails
// counts.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte

	err error
}

func (a Answer) failed() error { return a.err }

// unreached is the error of a request that got no answer. What was seen is
// compared from run to run, so it must not say which port it was.
func unreached(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "reset") {
		return errors.New("no answer: the connection was closed")
	}
	return fmt.Errorf("no answer: %w", err)
}

func (a Answer) that(ok bool, format string, args ...any) Answer {
	if a.err == nil && !ok {
		a.err = fmt.Errorf(format, args...)
	}
	return a
}

// is checks the status and, of an error, the code. An answer to HEAD has none.
func (a Answer) is(status int, code string) Answer {
	want, got := strconv.Itoa(status), strconv.Itoa(a.Status)
	if code != "" {
		want += " " + code
	}
	if c := a.text("Code"); c != "" {
		got += " " + c
	}
	return a.that(got == want, "%s, not %s", got, want)
}

// refused checks that the answer is one of the client's faults.
func (a Answer) refused() Answer {
	return a.that(a.Status >= 400 && a.Status < 500, "%d, not refused", a.Status)
}

// says checks the message of an error.
func (a Answer) says(message string) Answer {
	return a.that(strings.Contains(a.text("Message"), message), "message %q, not %q", a.text("Message"), message)
}

// header checks a header.
func (a Answer) header(name, want string) Answer {
	return a.that(a.Header.Get(name) == want, "%s is %q, not %q", name, a.Header.Get(name), want)
}

// has checks that a header is there, lacks that it is not.
func (a Answer) has(name string) Answer {
	return a.that(a.Header.Get(name) != "", "%s is missing", name)
}

func (a Answer) lacks(name string) Answer {
	return a.that(a.Header.Get(name) == "", "%s is %q, not absent", name, a.Header.Get(name))
}

// body checks the whole body.
func (a Answer) body(want string) Answer {
	return a.that(string(a.Body) == want, "body is %s, not %s", clip(string(a.Body)), clip(want))
}

// element checks the text of an element, as text finds it.
func (a Answer) element(path, want string) Answer {
	return a.that(a.text(path) == want, "%s is %q, not %q", path, clip(a.text(path)), clip(want))
}

// elements checks the texts of all elements of a path.
func (a Answer) elements(path string, want ...string) Answer {
	got := a.texts(path)
	return a.that(strings.Join(got, "\x00") == strings.Join(want, "\x00"), "%s are %q, not %q", path, got, want)
}

// node is an element of an XML document.
type node struct {
	XMLName  xml.Name
	Text     string `xml:",chardata"`
	Children []node `xml:",any"`
}

// nodes returns the elements at a path below the root, such as "Contents/Key".
func (a Answer) nodes(path string) []node {
	var root node
	if !bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("<")) || xml.Unmarshal(a.Body, &root) != nil {
		return nil
	}
	found := []node{root}
	for name := range strings.SplitSeq(path, "/") {
		var below []node
		for _, n := range found {
			for _, c := range n.Children {
				if c.XMLName.Local == name {
					below = append(below, c)
				}
			}
		}
		found = below
	}
	return found
}

func (n node) text(name string) string {
	for _, c := range n.Children {
		if c.XMLName.Local == name {
			return c.Text
		}
	}
	return ""
}

// texts returns the texts of the elements at a path.
func (a Answer) texts(path string) []string {
	var all []string
	for _, n := range a.nodes(path) {
		all = append(all, n.Text)
	}
	return all
}

// text returns the text of the first element at a path.
func (a Answer) text(path string) string {
	for _, n := range a.nodes(path) {
		return n.Text
	}
	return ""
}

// root returns the name of the document's element, with its namespace.
func (a Answer) root() xml.Name {
	var root node
	if xml.Unmarshal(a.Body, &root) != nil {
		return xml.Name{}
	}
	return root.XMLName
}

func clip(s string) string {
	if len(s) > 120 {
		return fmt.Sprintf("%.100s… (%d bytes)", s, len(s))
	}
	return s
}

func decimal(n int) string { return strconv.Itoa(n) }

func (a Answer) decode(root *node) error { return xml.Unmarshal(a.Body, root) }
