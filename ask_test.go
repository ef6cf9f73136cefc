package postern

import (
	"bytes"
	"reflect"
	"testing"
)

// What plainAsk reads, encoding/json reads alike.
func FuzzPlainAsk(f *testing.F) {
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, ok := plainAsk(string(doc))
		if !ok {
			return
		}
		var want Request
		if err := decode(bytes.NewReader(doc), &want); err != nil {
			t.Fatalf("%q: encoding/json refuses it: %v", doc, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %+v, encoding/json has %+v", doc, got, want)
		}
	})
}

// What is plain and what is left to encoding/json.
func TestPlainAsk(t *testing.T) {
	n := int64(2190194)
	want := Request{Preset: "photos", Filename: "Käse.jpg", Type: "image/jpeg", Size: &n, SHA256: "x", Metadata: map[string]string{"a": "b", "c": ""}}
	for _, doc := range []string{
		`{"preset":"photos","filename":"Käse.jpg","type":"image/jpeg","size":2190194,"sha256":"x","metadata":{"a":"b","c":""}}`,
		" {\n\t\"metadata\": { \"a\" : \"b\" , \"c\":\"\" } ,\r\"size\" : 2190194 , \"sha256\":\"x\",\"type\":\"image/jpeg\", \"filename\":\"Käse.jpg\",\"preset\":\"photos\" } ",
	} {
		if got, ok := plainAsk(doc); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("plainAsk(%s) = %+v, %v", doc, got, ok)
		}
	}
	for _, doc := range []string{
		``, `{`, `[]`, `null`, `{}{}`, `{} x`, `{,}`, `{"size":1,}`, `{"size":}`, `{"size":01}`, `{"size":-1}`, `{"size":1.0}`, `{"size":1e3}`,
		`{"size":9223372036854775808}`, `{"size":null}`, `{"size":"1"}`, `{"size":1,"size":2}`, `{"Size":1}`, `{"other":1}`, `{"type":1}`, `{"type":null}`,
		`{"type":"\u0061"}`, "{\"type\":\"\xff\"}", "{\"type\":\"a\nb\"}", `{"type":"a`, `{"type" "a"}`, `{"metadata":{"a":1}}`, `{"metadata":{"a":"b","a":"c"}}`,
		`{"metadata":{"a":"b"},"metadata":{"c":"d"}}`, `{"metadata":null}`, "{}\x00",
	} {
		if got, ok := plainAsk(doc); ok {
			t.Errorf("plainAsk(%q) = %+v, but it is not plain", doc, got)
		}
	}
}
