// Package webhook tells the events that the records keep to other people's
// servers, signed as Standard Webhooks has it (standardwebhooks.com), until they
// answer 2xx or three days are over.
//
// Addresses are checked when a connection is made, after names are resolved:
// nothing inside of the operator's own network is called unless that was said,
// whatever a name resolves to by then. Redirects are not followed.
package webhook
