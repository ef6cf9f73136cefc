// Package admin is the operator's page: what went through the gate, what waits,
// the latest uploads of everybody with the reasons they ended for, and two things
// to do about them: check a failed one again, and delete one.
//
// It shows everybody's uploads to whoever may see it, and asks nobody who he is:
// [Local] keeps it to people at this machine. Without a script it works all the
// same, since there is none.
package admin
