// Package auth finds out who asks. It has several kinds of sign-in, of which a
// gate may have several at once:
//
//   - [Keys]: API keys for your backend, kept hashed in a file;
//   - [Tokens]: upload tokens, which your backend asks for with its key and
//     hands to a browser: good for a number of uploads, until a time;
//   - [JWT]: tokens that somebody else signed, by a secret or by the public
//     keys of a JWKS address;
//   - [Forward]: a question to your own application, which knows its cookies;
//   - [None]: everybody is anonymous.
//
// [Any] puts them together: the first kind that finds a credential of its own
// in a request decides. One that is wrong is refused, and no weaker kind is
// asked.
//
// Nothing here logs or returns a credential. Principals that begin with "key/"
// belong to API keys; no other kind can name one.
package auth
