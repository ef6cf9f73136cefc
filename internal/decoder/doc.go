// Package decoder opens pictures in child processes that can do nothing else.
//
// A bug in a decoder is a hole that anybody who may upload can reach. So the
// bytes of a browser are looked at by a process that has nothing worth taking:
// no file, no network, no environment, no secret, a bounded amount of memory
// and of processor time. It reads pictures from one pipe and writes what it
// made of them to another. What it answers is held against the rules before
// anybody believes it.
//
// A child is the same program, started again under another name; [Main] must
// be the first thing that its main does. It sets its own limits before it says
// that it is ready, and so before it sees the first byte of a stranger:
//
//   - Linux: RLIMIT_DATA, CPU, FSIZE 0, NOFILE 0, CORE 0, MEMLOCK 0, MSGQUEUE 0
//     and, in a namespace of its own, NPROC; no_new_privs, no capabilities;
//     user, network, PID, IPC and UTS namespaces where they may be made;
//     Landlock without a single rule; a list of the system calls that Go's
//     runtime needs (seccomp), and no executable memory.
//   - Elsewhere: a process of its own with a time limit, and Go's soft limit of
//     memory. [Decoder.Limits] says what is lacking.
//
// RLIMIT_AS is not used: Go reserves far more address space than it uses.
//
// What a death means: a child that crashed, ran out of its memory or of its
// processor time, or answered nonsense, was led there by the picture. The
// picture gets one more try in another child, since the first may have been
// spoilt by an earlier one. If it ends that one as well, the file is at fault.
// A child that somebody else killed (the kernel for want of memory, a person)
// or that was out of wall-clock time on a machine with too much to do says
// nothing about the picture: that is an error of ours, and the caller's to
// repeat.
package decoder
