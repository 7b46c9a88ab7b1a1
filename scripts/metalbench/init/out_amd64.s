//go:build linux

#include "textflag.h"

// func out(port uint16, b byte)
TEXT ·out(SB), NOSPLIT, $0-3
	MOVW port+0(FP), DX
	MOVB b+2(FP), AX
	OUTB
	RET
