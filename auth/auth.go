package auth

import (
	"errors"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern.example/postern"
)

// Kind is one kind of sign-in. Implementations are safe for concurrent use.
type Kind interface {
	// Identify returns who the request's credential of this kind stands for.
	// Found is false, with a nil error, when the request has none; another kind
	// may be asked then, and only then.
	Identify(r *http.Request) (who postern.Identity, found bool, err error)
}

// Any asks kinds in their order; the first that finds a credential of its own
// decides. [None] comes last wherever it stands, and an Authorization header
// that no kind knows is refused before it. Of one kind alone it is the
// Authenticator. Without kinds nobody may do anything.
func Any(kinds ...Kind) postern.Authenticator {
	a := &anyOf{}
	for _, k := range kinds {
		if _, none := k.(None); none {
			a.none = true
		} else {
			a.kinds = append(a.kinds, k)
		}
	}
	return a
}

type anyOf struct {
	kinds []Kind
	none  bool
}

// Authenticate implements [postern.Authenticator].
func (a *anyOf) Authenticate(r *http.Request) (postern.Identity, error) {
	if len(a.kinds) == 0 && a.none {
		return postern.As(postern.Anonymous), nil
	}
	shown := r.Header["Authorization"]
	if len(shown) > 1 { // which of them counts must not be a riddle
		return postern.Identity{}, postern.ErrCredentialInvalid.With("There are two credentials in the request.")
	}
	for _, k := range a.kinds {
		who, found, err := k.Identify(r)
		switch {
		case err != nil:
			return postern.Identity{}, err
		case found:
			return who, nil
		}
	}
	switch {
	case len(shown) > 0:
		return postern.Identity{}, postern.ErrCredentialInvalid.With("This kind of credential is not known here.")
	case a.none:
		return postern.As(postern.Anonymous), nil
	}
	return postern.Identity{}, postern.ErrUnauthenticated
}

// None lets everybody in, as the principal [postern.Anonymous]: they all see
// each other's uploads.
type None struct{}

// Identify implements [Kind].
func (None) Identify(*http.Request) (postern.Identity, bool, error) {
	return postern.As(postern.Anonymous), true, nil
}

// bearer is the token of an Authorization header (RFC 6750, section 2.1), "" if
// there is none.
func bearer(r *http.Request) string {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}

// keyNamespace begins the principals of API keys.
const keyNamespace = "key/"

var errPrincipal = errors.New("the principal is not usable")

// usable refuses principals that records or logs would trip over.
func usable(principal string) error {
	if principal == "" || len(principal) > postern.MaxPrincipal || !utf8.ValidString(principal) ||
		strings.ContainsFunc(principal, unicode.IsControl) {
		return errPrincipal
	}
	return nil
}

// foreign is usable for principals that others name: an API key's is none.
func foreign(principal string) error {
	if strings.HasPrefix(principal, keyNamespace) {
		return errPrincipal
	}
	return usable(principal)
}

// invalid is the answer to a credential that is worth nothing. The cause is for
// the log, and must not hold any of it.
func invalid(detail string, cause error) error {
	return postern.ErrCredentialInvalid.With("%s", detail).Because(cause)
}
