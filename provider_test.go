package postern

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestProviders_AreComplete(t *testing.T) {
	want := []string{
		"aws", "r2", "b2", "gcs", "digitalocean", "wasabi", "minio", "ceph", "seaweedfs", "garage",
		"scaleway", "hetzner", "tigris", "ovhcloud", "versitygw", "embedded", "other",
	}
	var names []string
	for _, p := range Providers() {
		names = append(names, p.Name)
		if !nameRE.MatchString(p.Name) || p.Title == "" || p.Source == "" || len(p.Traps) == 0 {
			t.Errorf("%s: name, title, source and traps must be there: %+v", p.Name, p)
		}
		if (p.Endpoint == "") != (p.Name == "aws") {
			t.Errorf("%s: endpoint %q", p.Name, p.Endpoint)
		}
		for _, trap := range p.Traps {
			if !strings.HasSuffix(trap, ".") || len(trap) > 220 || strings.ContainsAny(trap, "\n|") {
				t.Errorf("%s: %q is not a short sentence", p.Name, trap)
			}
		}
		if got, ok := ProviderByName(p.Name); !ok || !reflect.DeepEqual(got, p) {
			t.Errorf("%s is not found by its name", p.Name)
		}
	}
	if !slices.Equal(names, want) {
		t.Errorf("providers are %v, want %v", names, want)
	}
	if p, ok := ProviderByName("R2"); ok {
		t.Errorf("found %s by a name that is none", p.Name)
	}
	Providers()[0].Title = "changed"
	if Providers()[0].Title == "changed" {
		t.Error("callers share the table")
	}
}

// What was run or is documented is not Unknown, and a cell that decides how
// files travel does not change by accident.
func TestProviders_SayWhatIsKnown(t *testing.T) {
	for name, want := range map[string]struct {
		whole   Transfer
		unknown string
		no      string
	}{
		"aws":          {Post, "", ""},
		"r2":           {Put, "post_by_key signed_headers complete_if_none_match", "post bucket_policy public_access_block iam tagging"},
		"b2":           {Put, "post_by_key put_length checksum signed_headers complete_if_none_match bucket_policy public_access_block tagging", "post if_none_match iam"},
		"gcs":          {Put, "post post_by_key checksum signed_headers public_access_block", "if_none_match complete_if_none_match cors lifecycle abort_lifecycle bucket_policy iam tagging"},
		"digitalocean": {Post, "post_by_key put_length checksum signed_headers if_none_match complete_if_none_match public_access_block tagging", "iam"},
		"wasabi":       {Post, "post_by_key put_length checksum signed_headers if_none_match complete_if_none_match abort_lifecycle public_access_block tagging", ""},
		"minio":        {Post, "", "signed_headers cors abort_lifecycle public_access_block iam"},
		"ceph":         {Post, "", "checksum signed_headers complete_if_none_match iam"},
		"seaweedfs":    {Post, "put_length signed_headers tagging", "post_by_key public_access_block"},
		"garage":       {Post, "post_by_key put_length checksum signed_headers complete_if_none_match", "if_none_match bucket_policy public_access_block iam tagging"},
		"scaleway":     {Post, "post_by_key put_length checksum signed_headers", "public_access_block iam"},
		"hetzner":      {Put, "post post_by_key put_length checksum signed_headers if_none_match complete_if_none_match abort_lifecycle public_access_block", "iam tagging"},
		"tigris":       {Post, "post_by_key put_length checksum signed_headers complete_if_none_match abort_lifecycle public_access_block", "bucket_policy"},
		"ovhcloud":     {Post, "post_by_key put_length checksum signed_headers abort_lifecycle bucket_policy public_access_block iam tagging", ""},
		"versitygw":    {Post, "", "post_by_key lifecycle abort_lifecycle public_access_block"},
		"embedded":     {Post, "", "iam"},
		"other":        {Post, "post_by_key put_length checksum signed_headers complete_if_none_match cors lifecycle abort_lifecycle bucket_policy public_access_block iam tagging", ""},
	} {
		p, _ := ProviderByName(name)
		of := map[Support][]string{}
		for _, f := range p.Features() {
			of[f.Support] = append(of[f.Support], f.Name)
		}
		if got := strings.Join(of[Unknown], " "); got != want.unknown {
			t.Errorf("%s: not known is %q, want %q", name, got, want.unknown)
		}
		if got := strings.Join(of[No], " "); got != want.no {
			t.Errorf("%s: has not %q, want %q", name, got, want.no)
		}
		if p.Whole() != want.whole {
			t.Errorf("%s: whole files go by %s, want %s", name, p.Whole(), want.whole)
		}
	}
}

// Features lists every field of the type Support, under its name in JSON.
func TestProvider_Features(t *testing.T) {
	var fields []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Provider]()) {
		if f.Type == reflect.TypeFor[Support]() {
			fields = append(fields, f.Tag.Get("json"))
		}
	}
	for i := range fields {
		var p Provider
		text := fmt.Sprintf("{%q: %q}", fields[i], "yes")
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		list := p.Features()
		if len(list) != len(fields) {
			t.Fatalf("%d features, %d fields", len(list), len(fields))
		}
		if f := list[i]; f.Name != fields[i] || f.Support != Yes || f.Title == "" {
			t.Errorf("field %s is the feature %+v", fields[i], f)
		}
	}
}

func TestSupport_Text(t *testing.T) {
	for _, s := range []Support{Unknown, Yes, No} {
		text, err := s.MarshalText()
		got := Support(9)
		if err == nil {
			err = got.UnmarshalText(text)
		}
		if err != nil || got != s || s.String() != string(text) {
			t.Errorf("%v is written %q and read %v: %v", s, text, got, err)
		}
	}
	var s Support
	if err := s.UnmarshalText([]byte("maybe")); err == nil {
		t.Error("read maybe")
	}
}

func TestProviderOf(t *testing.T) {
	for endpoint, want := range map[string][2]string{ // provider, region
		"":                                      {"aws", ""},
		"https://s3.amazonaws.com":              {"aws", ""},
		"https://s3.eu-central-1.amazonaws.com": {"aws", "eu-central-1"},
		"https://photos.s3.eu-central-1.amazonaws.com":                              {"aws", "eu-central-1"},
		"https://my.photos.s3.eu-central-1.amazonaws.com":                           {"aws", "eu-central-1"},
		"https://s3.dualstack.us-west-2.amazonaws.com":                              {"aws", "us-west-2"},
		"https://s3-fips.dualstack.us-gov-west-1.amazonaws.com":                     {"aws", "us-gov-west-1"},
		"https://s3-eu-west-1.amazonaws.com":                                        {"aws", "eu-west-1"},
		"https://s3-accelerate.amazonaws.com":                                       {"aws", ""},
		"https://photos.s3-accelerate.dualstack.amazonaws.com":                      {"aws", ""},
		"https://s3.cn-north-1.amazonaws.com.cn":                                    {"aws", "cn-north-1"},
		"https://bucket.vpce-0a1b-2c.s3.us-east-1.vpce.amazonaws.com":               {"aws", "us-east-1"},
		"https://0123456789abcdef0123456789abcdef.r2.cloudflarestorage.com":         {"r2", "auto"},
		"https://0123456789abcdef0123456789abcdef.eu.r2.cloudflarestorage.com":      {"r2", "auto"},
		"https://0123456789abcdef0123456789abcdef.us.r2.cloudflarestorage.com":      {"r2", "auto"},
		"https://0123456789abcdef0123456789abcdef.fedramp.r2.cloudflarestorage.com": {"r2", "auto"},
		"https://photos.0123456789abcdef.r2.cloudflarestorage.com":                  {"r2", "auto"},
		"https://s3.us-west-004.backblazeb2.com":                                    {"b2", "us-west-004"},
		"https://photos.s3.eu-central-003.backblazeb2.com":                          {"b2", "eu-central-003"},
		"https://storage.googleapis.com":                                            {"gcs", "auto"},
		"https://storage.me-central2.rep.googleapis.com":                            {"gcs", "auto"},
		"https://fra1.digitaloceanspaces.com":                                       {"digitalocean", "fra1"},
		"https://photos.nyc3.digitaloceanspaces.com":                                {"digitalocean", "nyc3"},
		"https://s3.eu-central-2.wasabisys.com":                                     {"wasabi", "eu-central-2"},
		"https://s3.wasabisys.com":                                                  {"wasabi", "us-east-1"},
		"https://s3.nl-1.wasabisys.com":                                             {"wasabi", "eu-central-1"},
		"https://s3.fr-par.scw.cloud":                                               {"scaleway", "fr-par"},
		"https://photos.s3.nl-ams.scw.cloud":                                        {"scaleway", "nl-ams"},
		"https://fsn1.your-objectstorage.com":                                       {"hetzner", "fsn1"},
		"https://fly.storage.tigris.dev":                                            {"tigris", "auto"},
		"https://photos.t3.storage.dev":                                             {"tigris", "auto"},
		"https://s3.gra.io.cloud.ovh.net":                                           {"ovhcloud", "gra"},
		"https://s3.us-east-va.io.cloud.ovh.us":                                     {"ovhcloud", "us-east-va"},
		// Written in another way.
		"s3.us-west-004.backblazeb2.com":                  {"b2", "us-west-004"},
		"s3.us-west-004.backblazeb2.com:443":              {"b2", "us-west-004"},
		"https://S3.US-West-004.BackblazeB2.COM":          {"b2", "us-west-004"},
		"https://s3.us-west-004.backblazeb2.com.":         {"b2", "us-west-004"},
		"https://s3.us-west-004.backblazeb2.com:443/":     {"b2", "us-west-004"},
		"http://s3.us-west-004.backblazeb2.com:8080/path": {"b2", "us-west-004"},
		// People's own servers have any name.
		"http://127.0.0.1:9000":     {"other", ""},
		"http://[::1]:9000":         {"other", ""},
		"http://localhost:9000":     {"other", ""},
		"https://minio.example.org": {"other", ""},
		"https://s3.example.org":    {"other", ""},
		// Look like it, and are not.
		"https://evil-amazonaws.com.example":                       {"other", ""},
		"https://s3.amazonaws.com.evil.example":                    {"other", ""},
		"https://s3.eu-central-1.amazonaws.com.evil.example":       {"other", ""},
		"https://s3.eu-central-1.evil-amazonaws.com":               {"other", ""},
		"https://evils3.amazonaws.com":                             {"other", ""},
		"https://s3.eu-central-1.amazonaws.com@evil.example":       {"other", ""},
		"https://evil.example/s3.eu-central-1.amazonaws.com":       {"other", ""},
		"https://evil.example?s3.eu-central-1.amazonaws.com":       {"other", ""},
		"https://evil.example#s3.amazonaws.com":                    {"other", ""},
		"https://evil.example\\.s3.amazonaws.com":                  {"other", ""},
		"https://s3.eu-central-1.amazonaws.com..":                  {"other", ""},
		"https://s3.eu-central-1.amazonaws.com\n":                  {"other", ""},
		"https://s3.eu-central-1.amazonaws.com\n.evil.example":     {"other", ""},
		"https://s3.evil_region.amazonaws.com":                     {"other", ""},
		"https://ec2-203-0-113-25.compute-1.amazonaws.com:9000":    {"other", ""},
		"https://ec2-203-0-113-25.eu-west-1.compute.amazonaws.com": {"other", ""},
		"https://x.execute-api.us-east-1.amazonaws.com":            {"other", ""},
		"https://photos.s3-website.eu-central-1.amazonaws.com":     {"other", ""},
		"https://photos.s3-website-us-east-1.amazonaws.com":        {"other", ""},
		"https://r2.cloudflarestorage.com":                         {"other", ""},
		"https://x.evilr2.cloudflarestorage.com":                   {"other", ""},
		"https://x.r2.cloudflarestorage.com.evil.example":          {"other", ""},
		"https://xr2-cloudflarestorage.com":                        {"other", ""},
		"https://s3.us-west-004.bac\u212ablazeb2.com":              {"other", ""}, // a Kelvin sign, whose lower case is k
		"https://s3.us-west-004.backblazeb2\u3002com":              {"other", ""}, // an ideographic full stop
		"https://fra1.cdn.digitaloceanspaces.com":                  {"other", ""},
		"https://fra1.evildigitaloceanspaces.com":                  {"other", ""},
		"https://your-objectstorage.com":                           {"other", ""},
		"https://storage.googleapis.com.evil.example":              {"other", ""},
		"https://storage.evil.rep.example":                         {"other", ""},
		"https://t3.storage.dev.evil.example":                      {"other", ""},
		"https://":                                                 {"other", ""},
		"%":                                                        {"other", ""},
	} {
		if got := ProviderOf(endpoint); got.Name != want[0] || got.RegionOf(endpoint) != want[1] {
			t.Errorf("%q is %s in %q, want %s in %q", endpoint, got.Name, got.RegionOf(endpoint), want[0], want[1])
		}
	}
}

func TestProvider_RegionOf(t *testing.T) {
	for _, c := range []struct{ name, endpoint, want string }{
		{"r2", "https://s3.us-west-004.backblazeb2.com", "auto"}, // its only one
		{"b2", "https://s3.eu-central-1.amazonaws.com", ""},      // another's host says nothing
		{"b2", "https://files.example.org", ""},
		{"garage", "https://s3.eu-central-1.amazonaws.com", ""},
		{"aws", "", ""},
		{"embedded", "http://127.0.0.1:9000", "us-east-1"},
	} {
		if p, _ := ProviderByName(c.name); p.RegionOf(c.endpoint) != c.want {
			t.Errorf("%s at %q: region %q, want %q", c.name, c.endpoint, p.RegionOf(c.endpoint), c.want)
		}
	}
}

// The example endpoints are recognised, those of servers that have any name
// apart.
func TestProviders_Endpoints(t *testing.T) {
	fill := strings.NewReplacer("ACCOUNT", "0123abc", "REGION", "fra1", "LOCATION", "fsn1", "HOST", "s3.example.org")
	for _, p := range Providers() {
		endpoint := p.Endpoint
		if p.Name == "scaleway" {
			endpoint = strings.Replace(endpoint, "REGION", "fr-par", 1)
		}
		want := p.Name
		if strings.Contains(endpoint, "HOST") {
			want = "other"
		}
		if got := ProviderOf(fill.Replace(endpoint)); got.Name != want {
			t.Errorf("%s is %s, want %s", endpoint, got.Name, want)
		}
	}
}

// The tables in docs/providers.md are those of provider.go. Run with
// POSTERN_UPDATE=1 to write them anew.
func TestProvidersAreDocumented(t *testing.T) {
	const file, head = "docs/providers.md", "## What each has\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(b), head)
	want := before + head + documented()
	if os.Getenv("POSTERN_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(b) != want {
		t.Errorf("the tables in %s are not up to date; run with POSTERN_UPDATE=1", file)
	}
}

func documented() string {
	var s strings.Builder
	all := Providers()
	s.WriteString("| |")
	for _, f := range all[0].Features() {
		fmt.Fprintf(&s, " %s |", f.Title)
	}
	s.WriteString("\n| ---" + strings.Repeat(" | ---", len(all[0].Features())) + " |\n")
	for _, p := range all {
		fmt.Fprintf(&s, "| [`%s`](#%s) |", p.Name, p.Name)
		for _, f := range p.Features() {
			fmt.Fprintf(&s, " %s |", strings.Replace(f.Support.String(), "unknown", "?", 1))
		}
		s.WriteString("\n")
	}
	s.WriteString("\n## How each is addressed\n| | endpoint | bucket's name | region | files travel whole by |\n| --- | --- | --- | --- | --- |\n")
	for _, p := range all {
		place, region, endpoint := "host", p.Region, "none needed"
		if p.PathStyle {
			place = "path"
		}
		if p.Endpoint != "" {
			endpoint = "`" + p.Endpoint + "`"
		}
		switch {
		case region != "":
			region = "`" + region + "`"
		case strings.Contains(p.Endpoint, "REGION"), strings.Contains(p.Endpoint, "LOCATION"):
			region = "in the host"
		default:
			region = "-"
		}
		fmt.Fprintf(&s, "| `%s` | %s | %s | %s | %s |\n", p.Name, endpoint, place, region, strings.ToUpper(string(p.Whole())))
	}
	s.WriteString("\n## What to mind\n")
	for _, p := range all {
		fmt.Fprintf(&s, "### <a id=%q></a>%s\n", p.Name, p.Title)
		for _, trap := range p.Traps {
			fmt.Fprintf(&s, "- %s\n", trap)
		}
		fmt.Fprintf(&s, "\nKnown from: %s.\n\n", p.Source)
	}
	return strings.TrimSuffix(s.String(), "\n")
}
