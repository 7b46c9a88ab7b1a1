//go:build linux

#include "textflag.h"

#define STORE(area) \
	MOVQ BX, area+0(SB) \
	MOVQ BP, area+8(SB) \
	MOVQ SI, area+16(SB) \
	MOVQ DI, area+24(SB) \
	MOVQ R12, area+32(SB) \
	MOVQ R13, area+40(SB) \
	MOVQ R14, area+48(SB) \
	MOVQ R15, area+56(SB) \
	MOVUPS X6, area+64(SB) \
	MOVUPS X7, area+80(SB) \
	MOVUPS X8, area+96(SB) \
	MOVUPS X9, area+112(SB) \
	MOVUPS X10, area+128(SB) \
	MOVUPS X11, area+144(SB) \
	MOVUPS X12, area+160(SB) \
	MOVUPS X13, area+176(SB) \
	MOVUPS X14, area+192(SB) \
	MOVUPS X15, area+208(SB) \
	STMXCSR area+224(SB) \
	FSTCW area+228(SB)

#define LOAD(area) \
	MOVQ area+0(SB), BX \
	PUSHQ area+8(SB) \
	POPQ BP \
	MOVQ area+16(SB), SI \
	MOVQ area+24(SB), DI \
	MOVQ area+32(SB), R12 \
	MOVQ area+40(SB), R13 \
	MOVQ area+48(SB), R14 \
	MOVQ area+56(SB), R15 \
	MOVUPS area+64(SB), X6 \
	MOVUPS area+80(SB), X7 \
	MOVUPS area+96(SB), X8 \
	MOVUPS area+112(SB), X9 \
	MOVUPS area+128(SB), X10 \
	MOVUPS area+144(SB), X11 \
	MOVUPS area+160(SB), X12 \
	MOVUPS area+176(SB), X13 \
	MOVUPS area+192(SB), X14 \
	MOVUPS area+208(SB), X15 \
	LDMXCSR area+224(SB) \
	FLDCW area+228(SB)

// checkedEntry: see entry_amd64.go.
TEXT ·checkedEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	STORE(·before)
	SUBQ $40, SP              // 32 bytes of shadow space, one word
	LOAD(·pattern)
	CALL bootllama∕metal·entry(SB)
	STORE(·found)
	MOVQ AX, 32(SP)
	PUSHFQ
	POPQ AX
	CLD
	ANDQ $0x600, AX           // IF, DF
	MOVQ AX, ·found+232(SB)
	MOVL ·found+224(SB), AX
	ANDL $0xFFC0, AX          // the rest of MXCSR, which exceptions have happened, belongs to nobody
	MOVL AX, ·found+224(SB)
	XORL BX, BX
next:
	LEAQ ·pattern(SB), SI
	LEAQ ·found(SB), DI
	MOVQ (SI)(BX*8), AX
	CMPQ AX, (DI)(BX*8)
	JEQ same
	CALL ·report(SB)
same:
	INCQ BX
	CMPQ BX, $30
	JNE next
	MOVQ 32(SP), AX
	LOAD(·before)
	ADDQ $40, SP
	RET

// loaderEntry: see loader_amd64.go. Go code finds its g by FS.
TEXT ·loaderEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	CMPB ·started(SB), $0
	JEQ loader
	JMP ·checkedEntry(SB)
loader:
	SUBQ $40, SP
	STORE(·before)
	MOVQ CX, 0(SP)
	MOVQ DX, 8(SP)
	MOVL $0xC0000100, CX
	RDMSR
	MOVL AX, 24(SP)
	MOVL DX, 28(SP)
	LEAQ ·loaderTLS+8(SB), AX
	MOVQ AX, DX
	SHRQ $32, DX
	WRMSR
	CALL ·loadTwice(SB)
	MOVL $0xC0000100, CX
	MOVL 24(SP), AX
	MOVL 28(SP), DX
	WRMSR
	MOVQ 16(SP), AX
	LOAD(·before)
	ADDQ $40, SP
	RET

// monitorEntry: see entry_amd64.go. UEFI 2.10: 7.3 LocateHandleBuffer, InstallProtocolInterface,
// UninstallProtocolInterface.
TEXT ·monitorEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ BX
	PUSHQ SI
	PUSHQ DI
	PUSHQ R12
	SUBQ $56, SP              // 32 bytes of shadow space, an argument, two words
	MOVQ CX, 40(SP)
	MOVQ DX, 48(SP)
	MOVQ 96(DX), BX
	LEAQ ·edidBlock(SB), AX
	MOVQ AX, ·edid+8(SB)
	MOVL $2, CX               // ByProtocol
	LEAQ ·outputGUID(SB), DX
	XORL R8, R8
	LEAQ ·outputCount(SB), R9
	LEAQ ·outputs(SB), AX
	MOVQ AX, 32(SP)
	MOVQ 312(BX), AX
	CALL AX
	XORL DI, DI
install:
	CMPQ DI, ·outputCount(SB)
	JCC run
	MOVQ ·outputs(SB), CX
	LEAQ (CX)(DI*8), CX
	LEAQ ·edidGUID(SB), DX
	XORL R8, R8               // EFI_NATIVE_INTERFACE
	LEAQ ·edid(SB), R9
	MOVQ 128(BX), AX
	CALL AX
	INCQ DI
	JMP install
run:
	MOVQ 40(SP), CX
	MOVQ 48(SP), DX
	CALL ·checkedEntry(SB)
	MOVQ AX, R12
	XORL DI, DI
remove:
	CMPQ DI, ·outputCount(SB)
	JCC done
	MOVQ ·outputs(SB), CX
	MOVQ (CX)(DI*8), CX
	LEAQ ·edidGUID(SB), DX
	LEAQ ·edid(SB), R8
	MOVQ 144(BX), AX
	CALL AX
	INCQ DI
	JMP remove
done:
	MOVQ ·outputs(SB), CX
	MOVQ 72(BX), AX
	CALL AX
	MOVQ R12, AX
	ADDQ $56, SP
	POPQ R12
	POPQ DI
	POPQ SI
	POPQ BX
	RET

// copyTables makes systemTable and bootServices copies of those of the system table in DX (UEFI 2.10, 4.3 and 4.4), the first with the
// second. It changes CX, SI and DI.
TEXT ·copyTables(SB),NOSPLIT|NOFRAME,$0
	MOVQ DX, SI
	LEAQ ·systemTable(SB), DI
	MOVL $120, CX
	REP
	MOVSB
	MOVQ ·systemTable+96(SB), SI
	LEAQ ·bootServices(SB), DI
	MOVQ DI, ·systemTable+96(SB)
	MOVL $376, CX
	REP
	MOVSB
	RET

// failingEntry: see entry_amd64.go. UEFI 2.10: 7.3 HandleProtocol, 9.1 EFI_LOADED_IMAGE_PROTOCOL, whose
// load options from the shell are in UTF-16 and end with a zero.
TEXT ·failingEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ SI
	PUSHQ DI
	SUBQ $56, SP              // 32 bytes of shadow space, the arguments
	MOVQ CX, 32(SP)
	MOVQ DX, 40(SP)
	CALL ·copyTables(SB)
	MOVQ 32(SP), CX
	LEAQ ·loadedImageGUID(SB), DX
	LEAQ ·loadedImage(SB), R8
	MOVQ ·bootServices+152(SB), AX
	CALL AX
	MOVQ ·loadedImage(SB), DX
	MOVL 48(DX), CX           // LoadOptionsSize
	ADDQ 56(DX), CX           // LoadOptions
	MOVWLZX -4(CX), AX
	SUBL $'1', AX
	MOVQ AX, ·callsLeft(SB)
	MOVWLZX -6(CX), CX
	LEAQ ·bootServices+24(SB), DI
	LEAQ -8*'A'(DI)(CX*8), DI
	MOVQ (DI), AX
	MOVQ AX, ·failingService(SB)
	LEAQ ·fails(SB), AX
	MOVQ AX, (DI)
	MOVQ 32(SP), CX
	LEAQ ·systemTable(SB), DX
	CALL ·checkedEntry(SB)
	ADDQ $56, SP
	POPQ DI
	POPQ SI
	RET

// fails is the service.
TEXT ·fails(SB),NOSPLIT|NOFRAME,$0
	SUBQ $1, ·callsLeft(SB)
	JCS fail
	MOVQ ·failingService(SB), AX
	JMP AX
fail:
	MOVQ $0, ·callsLeft(SB)
	MOVQ $0x8000000000000007, AX
	RET

// report writes the line about register BX.
TEXT ·report(SB),NOSPLIT|NOFRAME,$0
	MOVQ BX, AX
	XORL DX, DX
	MOVL $10, CX
	DIVQ CX
	MOVQ ·changedText+0(SB), SI
	ADDL $'0', AX
	ADDL $'0', DX
	MOVB AX, 31(SI)
	MOVB DX, 32(SI)
	MOVQ ·changedText+8(SB), CX
	MOVL $0xEA, DX
	REP
	OUTSB
	MOVL $238, AX
	MOVL $0xEB, DX
	OUTB
	RET

// oddEntry: see entry_amd64.go. UEFI 2.10: 4.3 EFI_SYSTEM_TABLE, 4.4 EFI_BOOT_SERVICES; PI 1.7
// volume 2, 13.4 EFI_MP_SERVICES_PROTOCOL; UEFI 2.10, 37.5 EFI_RNG_PROTOCOL.
TEXT ·oddEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ BX
	PUSHQ SI
	PUSHQ DI
	PUSHQ R12
	SUBQ $40, SP
	MOVQ CX, R12
	CALL ·copyTables(SB)
	XORL AX, AX
	MOVQ AX, ·systemTable+48(SB) // ConIn
	MOVQ AX, ·systemTable+64(SB) // ConOut
	MOVQ ·bootServices+320(SB), AX
	MOVQ AX, ·locateProtocol(SB)
	LEAQ ·mpServicesGUID(SB), CX
	XORL DX, DX
	LEAQ ·mpProtocol(SB), R8
	CALL AX
	LEAQ ·rngGUID(SB), CX
	XORL DX, DX
	LEAQ ·oddRNGProtocol(SB), R8
	MOVQ ·locateProtocol(SB), AX
	CALL AX
	MOVQ ·oddRNGProtocol(SB), BX
	MOVQ 8(BX), AX
	MOVQ AX, ·getRNG(SB)
	LEAQ ·oddRNG(SB), AX
	MOVQ AX, 8(BX)
	MOVQ ·mpProtocol(SB), BX
	MOVQ 16(BX), AX
	MOVQ AX, ·startupAllAPs(SB)
	LEAQ ·oddStart(SB), AX
	MOVQ AX, 16(BX)
	LEAQ ·oddLocate(SB), AX
	MOVQ AX, ·bootServices+320(SB)
	MOVQ ·bootServices+112(SB), AX
	MOVQ AX, ·closeEvent(SB)
	LEAQ ·oddClose(SB), AX
	MOVQ AX, ·bootServices+112(SB)
	CALL ·makeOdd(SB)
	MOVQ R12, CX
	LEAQ ·systemTable(SB), DX
	CALL ·checkedEntry(SB)
	MOVQ AX, R12
	XORL AX, AX
	BYTE $0x0F; BYTE $0x00; BYTE $0xC8 // STR AX
	CMPL AX, $800
	JNE task
	BTL $9, ·wideTable+804(SB) // LTR marks it as busy
	JCS loaded
task:
	ORQ $128, ·callFaults(SB)
loaded:
	MOVQ CR0, AX
	CMPQ AX, ·oddCR0(SB)
	JEQ cr0
	ORQ $256, ·callFaults(SB)
cr0:
	MOVQ CR4, AX
	CMPQ AX, ·oddCR4(SB)
	JEQ cr4
	ORQ $64, ·callFaults(SB)
cr4:
	CALL ·makeEven(SB)
	MOVQ ·mpProtocol(SB), BX
	MOVQ ·startupAllAPs(SB), AX
	MOVQ AX, 16(BX)
	MOVQ ·oddRNGProtocol(SB), BX
	MOVQ ·getRNG(SB), AX
	MOVQ AX, 8(BX)
	CMPB ·late(SB), $0
	JEQ faults
	MOVB $1, ·gate(SB)
	MOVL $1000000, CX         // µs: a processor that runs comes meanwhile
	MOVQ ·bootServices+248(SB), AX
	CALL AX
	CMPL ·cameLate(SB), $0
	JEQ faults
	ORQ $2048, ·callFaults(SB)
faults:
	CMPQ ·callsSeen(SB), $0
	JNE called
	ORQ $4096, ·callFaults(SB)
called:
	MOVL $30, BX
fault:
	SHRQ $1, ·callFaults(SB)
	JCC right
	CALL ·report(SB)
right:
	INCL BX
	CMPQ ·callFaults(SB), $0
	JNE fault
	MOVQ R12, AX
	ADDQ $40, SP
	POPQ R12
	POPQ DI
	POPQ SI
	POPQ BX
	RET

// makeOdd gives the processor another GDT, with the largest limit, a task state, and at 816 a 32-bit
// code segment, and other bits in CR0 and CR4.
TEXT ·makeOdd(SB),NOSPLIT|NOFRAME,$0
	MOVQ CR3, AX
	MOVQ AX, ·firmwareCR3(SB)
	SGDT ·gdt(SB)
	MOVQ ·gdt+2(SB), SI       // its entries, and a task state
	LEAQ ·wideTable(SB), DI
	MOVQ DI, ·wideGDT+2(SB)
	MOVW $0xFFFF, ·wideGDT(SB)
	MOVWLZX ·gdt(SB), CX
	INCL CX
	REP
	MOVSB
	LEAQ ·oddTask(SB), AX
	MOVQ AX, DX
	SHRQ $32, DX
	MOVQ DX, ·wideTable+808(SB)
	MOVQ AX, DX
	ANDL $0xFFFFFF, AX
	SHLQ $16, AX
	SHRQ $24, DX
	ANDL $0xFF, DX
	SHLQ $56, DX
	ORQ DX, AX
	MOVQ $0x0000890000000067, DX
	ORQ DX, AX
	MOVQ AX, ·wideTable+800(SB)
	MOVQ $0x00CF9B000000FFFF, DX
	MOVQ DX, ·wideTable+816(SB)
	LGDT ·wideGDT(SB)
	MOVL $800, AX
	BYTE $0x0F; BYTE $0x00; BYTE $0xD8 // LTR AX
	MOVQ CR0, AX
	MOVQ AX, ·firmwareCR0(SB)
	ANDL $~0x10020, AX        // WP, NE
	MOVQ AX, CR0
	MOVQ AX, ·oddCR0(SB)
	MOVQ CR4, DI
	MOVQ DI, ·firmwareCR4(SB)
	MOVL $7, AX
	XORL CX, CX
	CPUID
#define TURN_ON(register, feature, bit) \
	MOVL register, AX \
	SHRL $feature, AX \
	ANDL $1, AX \
	SHLL $bit, AX \
	ORQ AX, DI
	TURN_ON(BX, 7, 20)        // SMEP
	TURN_ON(BX, 20, 21)       // SMAP
	TURN_ON(CX, 2, 11)        // UMIP
	TURN_ON(CX, 3, 22)        // PKE
	MOVQ DI, CR4
	MOVQ DI, ·oddCR4(SB)
	RET

// makeEven undoes makeOdd.
TEXT ·makeEven(SB),NOSPLIT|NOFRAME,$0
	LGDT ·gdt(SB)
	MOVQ ·firmwareCR0(SB), AX
	MOVQ AX, CR0
	MOVQ ·firmwareCR4(SB), AX
	MOVQ AX, CR4
	RET

// oddLocate and oddRNG are LocateProtocol and GetRNG, with a look at the state before.
TEXT ·oddLocate(SB),NOSPLIT|NOFRAME,$0
	MOVQ ·locateProtocol(SB), R10
	JMP ·service(SB)

TEXT ·oddRNG(SB),NOSPLIT|NOFRAME,$0
	MOVQ ·getRNG(SB), R10
	JMP ·service(SB)

// service looks at the state that a service finds (UEFI 2.10, 2.3.4), calls the
// firmware's, which is R10, and changes all registers that a service may change.
TEXT ·service(SB),NOSPLIT|NOFRAME,$0
	INCQ ·callsSeen(SB)
	LEAQ 8(SP), AX            // the stack is aligned before the CALL
	TESTQ $15, AX
	JEQ aligned
	ORQ $1, ·callFaults(SB)
aligned:
	PUSHFQ
	POPQ AX
	ANDL $0x600, AX
	CMPL AX, $0x200
	JEQ flags
	ORQ $2, ·callFaults(SB)
flags:
	MOVQ CR3, AX
	CMPQ AX, ·firmwareCR3(SB)
	JEQ tables
	ORQ $4, ·callFaults(SB)
tables:
	SUBQ $40, SP
	STMXCSR 32(SP)
	MOVL 32(SP), AX
	ANDL $0xFFC0, AX
	CMPL AX, $0x1F80
	JEQ mxcsr
	ORQ $8, ·callFaults(SB)
mxcsr:
	FSTCW 32(SP)
	MOVWLZX 32(SP), AX
	CMPL AX, $0x37F
	JEQ fcw
	ORQ $16, ·callFaults(SB)
fcw:
	SGDT 16(SP)
	MOVQ 18(SP), AX
	CMPQ AX, ·wideGDT+2(SB)
	JEQ gdtr
	ORQ $32, ·callFaults(SB)
gdtr:
	MOVQ CR0, AX
	CMPQ AX, ·oddCR0(SB)
	JEQ cr0
	ORQ $512, ·callFaults(SB)
cr0:
	CALL R10
	MOVQ $0x5A5A5A5A5A5A5A5A, CX
	MOVQ CX, DX
	MOVQ CX, R8
	MOVQ CX, R9
	MOVQ CX, R10
	MOVQ CX, R11
	MOVQ CX, X0
	MOVQ CX, X1
	MOVQ CX, X2
	MOVQ CX, X3
	MOVQ CX, X4
	MOVQ CX, X5
	ADDQ $40, SP
	RET

// oddClose is CloseEvent. The event of processors that have not come back stays open.
TEXT ·oddClose(SB),NOSPLIT|NOFRAME,$0
	CMPB ·late(SB), $0
	JEQ close
	CMPQ CX, ·mpEvent(SB)
	JNE close
	ORQ $8192, ·callFaults(SB)
close:
	MOVQ ·closeEvent(SB), AX
	JMP AX

// lateEntry: see entry_amd64.go.
TEXT ·lateEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVB $1, ·late(SB)
	JMP ·oddEntry(SB)

// oddStart is StartupAllAPs, with oddAP in place of the procedure that the processors call.
TEXT ·oddStart(SB),NOSPLIT|NOFRAME,$0
	MOVQ R9, ·mpEvent(SB)
	MOVQ DX, ·apProcedure(SB)
	LEAQ ·oddAP(SB), DX
	MOVQ ·startupAllAPs(SB), AX
	JMP AX

// oddAP calls metal's procedure, on the first two processors with other tables than the
// firmware's. The third one waits instead until the program has ended, if late says so.
TEXT ·oddAP(SB),NOSPLIT|NOFRAME,$0
	PUSHQ BX
	PUSHQ SI
	PUSHQ DI
	PUSHQ R12
	SUBQ $72, SP              // shadow space; at 32 the firmware's GDTR, at 48 another
	SGDT 32(SP)
	SGDT 48(SP)
	XORL R12, R12
	MOVW CS, R12
	MOVL R12, AX
	MOVL $1, BX
	LOCK
	XADDL BX, ·oddArrivals(SB)
	CMPL BX, $1
	JHI third
	JEQ odd
	MOVW $0xFFFF, 48(SP)
	JMP call
odd:
	MOVQ 34(SP), SI
	LEAQ ·oddGDT(SB), DI
	MOVQ DI, 50(SP)
	MOVL $160, CX
	REP
	MOVSB
	MOVQ $0x00AF9B000000FFFF, AX
	MOVQ AX, ·oddGDT+160(SB)
	MOVW $255, 48(SP)
	MOVL $160, AX
	JMP call
third:
	CMPB ·late(SB), $0
	JEQ call
shut:
	PAUSE
	CMPB ·gate(SB), $0
	JEQ shut
	LOCK
	INCL ·cameLate(SB)
	JMP out
call:
	LGDT 48(SP)
	CALL ·loadCS(SB)
	STMXCSR 64(SP)
	FSTCW 68(SP)
	LDMXCSR ·pattern+224(SB)
	FLDCW ·pattern+228(SB)
	MOVQ ·apProcedure(SB), AX
	CALL AX
	STMXCSR 60(SP)
	MOVL 60(SP), AX
	ANDL $0xFFC0, AX
	CMPL AX, ·pattern+224(SB)
	JNE changed
	FSTCW 60(SP)
	MOVW 60(SP), AX
	CMPW AX, ·pattern+228(SB)
	JEQ kept
changed:
	LOCK
	ORQ $1024, ·callFaults(SB)
kept:
	LDMXCSR 64(SP)
	FLDCW 68(SP)
	MOVL R12, AX
	CALL ·loadCS(SB)
	LGDT 32(SP)
out:
	ADDQ $72, SP
	POPQ R12
	POPQ DI
	POPQ SI
	POPQ BX
	RET

// loadCS loads AX into CS.
TEXT ·loadCS(SB),NOSPLIT|NOFRAME,$0
	POPQ R10
	PUSHQ AX
	PUSHQ R10
	RETFQ
