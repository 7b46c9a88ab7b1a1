//go:build linux

#include "go_asm.h"
#include "textflag.h"

// func firmwareCall(fn, a, b, c, d, e, f uintptr) (status uintptr)
TEXT ·firmwareCall(SB),NOSPLIT,$0-64
	MOVQ fn+0(FP), AX
	MOVQ a+8(FP), CX
	MOVQ b+16(FP), DX
	MOVQ c+24(FP), R8
	MOVQ d+32(FP), R9
	MOVQ e+40(FP), R10
	MOVQ f+48(FP), R11
	MOVQ SP, BX
	SUBQ $64, SP
	ANDQ $~15, SP
	MOVQ R10, 32(SP)
	MOVQ R11, 40(SP)
	CALL AX
	MOVQ BX, SP
	MOVQ AX, status+56(FP)
	RET

// func reportNumber(n int)
TEXT ·reportNumber(SB),NOSPLIT,$0-8
	MOVQ n+0(FP), BX
	CALL ·report(SB)
	RET

// func hasLevelFive() bool
TEXT ·hasLevelFive(SB),NOSPLIT,$0-1
	MOVL $7, AX
	XORL CX, CX
	CPUID
	SHRL $16, CX
	ANDL $1, CX
	MOVB CX, ret+0(FP)
	RET

// func switchLevels(root uintptr)
//
// Five levels of page tables instead of four, or the other way: CR4.LA57 can be changed only
// without paging, and that only outside 64-bit mode (Intel SDM volume 3, 4.1.2). All that is used
// meanwhile is below 4 GiB. The 32-bit code segment is makeOdd's.
TEXT ·switchLevels(SB),NOSPLIT|NOFRAME,$0-8
	MOVQ root+0(FP), DI
	PUSHFQ
	CLI
	XORL DX, DX
	MOVW CS, DX
	SHLQ $32, DX
	LEAQ ·in64(SB), AX
	ORQ AX, DX
	PUSHQ DX                  // IP and CS for the RETF of in32
	PUSHQ $816
	LEAQ ·in32(SB), AX
	PUSHQ AX
	RETFQ

TEXT ·in32(SB),NOSPLIT|NOFRAME,$0
	BYTE $0x0F; BYTE $0x20; BYTE $0xC0             // MOV EAX, CR0
	BYTE $0x0F; BYTE $0xBA; BYTE $0xF0; BYTE $31   // BTR EAX, 31
	BYTE $0x0F; BYTE $0x22; BYTE $0xC0             // MOV CR0, EAX
	BYTE $0x0F; BYTE $0x20; BYTE $0xE0             // MOV EAX, CR4
	BYTE $0x0F; BYTE $0xBA; BYTE $0xF8; BYTE $12   // BTC EAX, 12
	BYTE $0x0F; BYTE $0x22; BYTE $0xE0             // MOV CR4, EAX
	BYTE $0x0F; BYTE $0x22; BYTE $0xDF             // MOV CR3, EDI
	BYTE $0x0F; BYTE $0x20; BYTE $0xC0             // MOV EAX, CR0
	BYTE $0x0F; BYTE $0xBA; BYTE $0xE8; BYTE $31   // BTS EAX, 31
	BYTE $0x0F; BYTE $0x22; BYTE $0xC0             // MOV CR0, EAX
	BYTE $0xCB                                     // RETF

TEXT ·in64(SB),NOSPLIT|NOFRAME,$0
	MOVL SP, SP
	BYTE $0x9D                // POPFQ, which switchLevels has pushed
	RET

// func readMSR(register uint32) uint64
TEXT ·readMSR(SB),NOSPLIT,$0-16
	MOVL register+0(FP), CX
	RDMSR
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ AX, ret+8(FP)
	RET

// func writeMSR(register uint32, value uint64)
TEXT ·writeMSR(SB),NOSPLIT,$0-16
	MOVL register+0(FP), CX
	MOVQ value+8(FP), AX
	MOVQ AX, DX
	SHRQ $32, DX
	WRMSR
	RET

// func storeState(to *processorState)
TEXT ·storeState(SB),NOSPLIT,$0-8
	MOVQ to+0(FP), DI
	MOVQ CR0, AX
	MOVQ AX, processorState_cr0(DI)
	MOVQ CR3, AX
	MOVQ AX, processorState_cr3(DI)
	MOVQ CR4, AX
	MOVQ AX, processorState_cr4(DI)
	PUSHFQ
	POPQ AX
	ANDL $0x47600, AX         // IF, DF, IOPL, NT, AC
	MOVQ AX, processorState_flags(DI)
	MOVW CS, processorState_selectors+0(DI)
	MOVW SS, processorState_selectors+2(DI)
	MOVW DS, processorState_selectors+4(DI)
	MOVW ES, processorState_selectors+6(DI)
	MOVW FS, processorState_selectors+8(DI)
	MOVW GS, processorState_selectors+10(DI)
	XORL AX, AX
	BYTE $0x0F; BYTE $0x00; BYTE $0xC8 // STR AX
	MOVW AX, processorState_selectors+12(DI)
	MOVQ ·wideTable+800(SB), AX
	MOVQ AX, processorState_task(DI)
	SGDT processorState_gdtr(DI)
	SIDT processorState_idtr(DI)
	RET
