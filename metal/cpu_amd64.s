//go:build linux

#include "textflag.h"

// Instructions that cannot be written in Go (Intel SDM volume 2).

// func counter() uint64
TEXT ·counter(SB),NOSPLIT,$0-8
	RDTSC
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ AX, ret+0(FP)
	RET

// func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)
TEXT ·cpuid(SB),NOSPLIT,$0-24
	MOVL leaf+0(FP), AX
	MOVL subleaf+4(FP), CX
	CPUID
	MOVL AX, eax+8(FP)
	MOVL BX, ebx+12(FP)
	MOVL CX, ecx+16(FP)
	MOVL DX, edx+20(FP)
	RET

// func rdmsr(register uint32) uint64
TEXT ·rdmsr(SB),NOSPLIT,$0-16
	MOVL register+0(FP), CX
	RDMSR
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ AX, ret+8(FP)
	RET

// func wrmsr(register uint32, value uint64)
TEXT ·wrmsr(SB),NOSPLIT,$0-16
	MOVL register+0(FP), CX
	MOVQ value+8(FP), AX
	MOVQ AX, DX
	SHRQ $32, DX
	WRMSR
	RET

// func xgetbv() uint64
TEXT ·xgetbv(SB),NOSPLIT,$0-8
	XORL CX, CX
	XGETBV
	SHLQ $32, DX
	ORQ DX, AX
	MOVQ AX, ret+0(FP)
	RET

// func xsetbv(value uint64)
TEXT ·xsetbv(SB),NOSPLIT,$0-8
	MOVQ value+0(FP), AX
	MOVQ AX, DX
	SHRQ $32, DX
	XORL CX, CX
	XSETBV
	RET

// func controlRegisters() (cr0, cr2, cr3, cr4 uint64)
TEXT ·controlRegisters(SB),NOSPLIT,$0-32
	MOVQ CR0, AX
	MOVQ AX, cr0+0(FP)
	MOVQ CR2, AX
	MOVQ AX, cr2+8(FP)
	MOVQ CR3, AX
	MOVQ AX, cr3+16(FP)
	MOVQ CR4, AX
	MOVQ AX, cr4+24(FP)
	RET

// func writeCR0(value uint64)
TEXT ·writeCR0(SB),NOSPLIT,$0-8
	MOVQ value+0(FP), AX
	MOVQ AX, CR0
	RET

// func writeCR3(value uint64)
TEXT ·writeCR3(SB),NOSPLIT,$0-8
	MOVQ value+0(FP), AX
	MOVQ AX, CR3
	RET

// func writeCR4(value uint64)
TEXT ·writeCR4(SB),NOSPLIT,$0-8
	MOVQ value+0(FP), AX
	MOVQ AX, CR4
	RET

// func selectors() (cs, ss uint64)
TEXT ·selectors(SB),NOSPLIT,$0-16
	XORL AX, AX
	MOVW CS, AX
	MOVQ AX, cs+0(FP)
	XORL AX, AX
	MOVW SS, AX
	MOVQ AX, ss+8(FP)
	RET

// func storeTables(gdtr, idtr *tableRegister)
TEXT ·storeTables(SB),NOSPLIT,$0-16
	MOVQ gdtr+0(FP), AX
	SGDT (AX)
	MOVQ idtr+8(FP), AX
	SIDT (AX)
	RET

// func loadTables(gdtr, idtr *tableRegister, ss uint64)
TEXT ·loadTables(SB),NOSPLIT,$0-24
	MOVQ gdtr+0(FP), AX
	LGDT (AX)
	MOVQ ss+16(FP), AX
	MOVW AX, SS
	MOVQ idtr+8(FP), AX
	LIDT (AX)
	RET

// func loadTaskRegister(selector uint64)
TEXT ·loadTaskRegister(SB),NOSPLIT,$0-8
	MOVQ selector+0(FP), AX
	BYTE $0x0F; BYTE $0x00; BYTE $0xD8 // LTR AX, which the Go assembler lacks
	RET

// func taskRegister() (selector uint64)
TEXT ·taskRegister(SB),NOSPLIT,$0-8
	XORL AX, AX
	BYTE $0x0F; BYTE $0x00; BYTE $0xC8 // STR AX, which the Go assembler lacks
	MOVQ AX, selector+0(FP)
	RET

// func inb(port uint16) byte
TEXT ·inb(SB),NOSPLIT,$0-9
	MOVW port+0(FP), DX
	INB
	MOVB AX, ret+8(FP)
	RET

// func outsb(port uint16, p, n uintptr)
TEXT ·outsb(SB),NOSPLIT,$0-24
	MOVW port+0(FP), DX
	MOVQ p+8(FP), SI
	MOVQ n+16(FP), CX
	CLD
	REP
	OUTSB
	RET

// func writeBackCaches()
TEXT ·writeBackCaches(SB),NOSPLIT,$0
	WBINVD
	RET

// func hardwareRandom() (value uint64, ok bool)
TEXT ·hardwareRandom(SB),NOSPLIT,$0-9
	RDRANDQ AX
	SETCS ok+8(FP)
	MOVQ AX, value+0(FP)
	RET

// func zero(p, n uintptr)
TEXT ·zero(SB),NOSPLIT,$0-16
	MOVQ p+0(FP), DI
	MOVQ n+8(FP), CX
	XORL AX, AX
	CLD
	REP
	STOSB
	RET

// func move(to, from, n uintptr)
TEXT ·move(SB),NOSPLIT,$0-24
	MOVQ to+0(FP), DI
	MOVQ from+8(FP), SI
	MOVQ n+16(FP), CX
	CLD
	REP
	MOVSB
	RET

// func pause()
TEXT ·pause(SB),NOSPLIT,$0
	PAUSE
	RET

// func halt()
TEXT ·halt(SB),NOSPLIT,$0
	HLT
	RET

// func haltUntilInterrupt()
//
// An interrupt that is pending already ends the HLT, and is not handled before it: STI
// takes effect after the instruction that follows it.
TEXT ·haltUntilInterrupt(SB),NOSPLIT,$0
	STI
	HLT
	CLI
	RET

// func swap(p *uint64, value uint64) (old uint64)
TEXT ·swap(SB),NOSPLIT,$0-24
	MOVQ p+0(FP), BX
	MOVQ value+8(FP), AX
	XCHGQ AX, (BX)            // always locked, also without LOCK, and a full barrier
	MOVQ AX, old+16(FP)
	RET

// func store(p *uint64, value uint64)
//
// A plain store: on x86 no earlier store of this processor becomes visible after it. It is
// a function so that the compiler moves nothing across it either.
TEXT ·store(SB),NOSPLIT,$0-16
	MOVQ p+0(FP), BX
	MOVQ value+8(FP), AX
	MOVQ AX, (BX)
	RET

// func advance(p *int64, to int64) (latest int64)
TEXT ·advance(SB),NOSPLIT,$0-24
	MOVQ p+0(FP), BX
	MOVQ to+8(FP), CX
	MOVQ (BX), AX
again:
	CMPQ AX, CX
	JGE done
	LOCK
	CMPXCHGQ CX, (BX)         // if *p was not AX, AX is now *p
	JNE again
	MOVQ CX, AX
done:
	MOVQ AX, latest+16(FP)
	RET
