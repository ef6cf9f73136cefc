package doctor

import (
	"net/url"
	"strings"

	"postern.example/postern"
)

// fill puts what is known into a cause or a cure.
func (x *exam) fill(text string, a *answer) string {
	theirs := "its own region"
	if strings.HasPrefix(text, "--region") {
		theirs = "REGION"
	}
	if a != nil && a.Region != "" {
		theirs = a.Region
	}
	return strings.NewReplacer(
		"{bucket}", x.c.Bucket, "{region}", x.c.Region, "{theirs}", theirs, "{provider}", x.provider(), "{url}", x.base.String(),
		"{endpoint}", x.endpoint(), "{setup}", x.setup(), "{public}", x.setupPublic(), "{keys}", x.setupKeys(""), "{rotate}", x.setupKeys("--rotate-key"),
	).Replace(text)
}

// provider is the provider's name for people.
func (x *exam) provider() string {
	if x.c.Provider.Title == "" {
		return "the provider"
	}
	return x.c.Provider.Title
}

// endpoint is the server's address, without the bucket.
func (x *exam) endpoint() string {
	u := url.URL{Scheme: x.base.Scheme, Host: x.base.Host}
	if !x.pathStyle() {
		u.Host = strings.TrimPrefix(u.Host, x.c.Bucket+".")
	}
	return u.String()
}

// pathStyle says whether the bucket's name stands in the path.
func (x *exam) pathStyle() bool { return strings.Trim(x.base.Path, "/") == x.c.Bucket }

// setup is the command that sets such a bucket up.
func (x *exam) setup() string {
	if x.c.Embedded {
		return strings.Join(append([]string{"postern serve"}, originFlags(x.c.Origins)...), " ")
	}
	return x.setupWith()
}

// setupPublic is the command after which everybody may read images/.
func (x *exam) setupPublic() string {
	if x.c.Embedded {
		return "postern serve, which shows them"
	}
	if x.publicHere() {
		return x.setup()
	}
	return x.setupWith("--public")
}

// setupKeys is the command that makes keys with the policies that are needed.
func (x *exam) setupKeys(more string) string {
	switch {
	case x.c.Embedded:
		return "start postern serve anew with its own keys.json, from which all keys of this bucket follow"
	case x.c.Provider.IAM != postern.Yes:
		return x.setupWith("--user NAME", more) + ", which says what to do by hand with " + x.provider()
	case more != "":
		return x.setupWith("--user NAME", more)
	}
	return x.setupWith("--user NAME") + ", or --role NAME"
}

func (x *exam) setupWith(more ...string) string {
	words := []string{"postern setup", "--bucket " + x.c.Bucket, "--region " + x.c.Region}
	if x.c.Provider.Name != "aws" {
		words = append(words, "--endpoint "+x.endpoint())
		if x.c.Provider.Name != "" && x.c.Provider.Name != postern.ProviderOf(x.endpoint()).Name {
			words = append(words, "--provider "+x.c.Provider.Name)
		}
	}
	words = append(words, originFlags(x.c.Origins)...)
	if x.publicHere() {
		words = append(words, "--public")
	}
	for _, flag := range more {
		if flag != "" {
			words = append(words, flag)
		}
	}
	return strings.Join(words, " ")
}

func originFlags(origins []string) (flags []string) {
	for _, o := range origins {
		flags = append(flags, "--origin "+o)
	}
	return flags
}
