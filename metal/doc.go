// Package metal lets an unmodified Go program, built by the stock toolchain, run on a
// PC with no operating system, as a UEFI application.
package metal
