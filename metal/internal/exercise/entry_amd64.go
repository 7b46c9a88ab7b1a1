//go:build linux

package main

// The firmware may call one of these functions of entry_amd64.s instead of metal's entry, or
// loaderEntry, for which see loader_amd64.go:
//
// checkedEntry fills the registers that the firmware's calling convention protects, calls
// metal's entry, and compares them. For each that has changed it writes a line to standard
// error's debug port, with the register's place in pattern, and status 238 to that of exit
// statuses, which no test expects.
//
// oddEntry does so on a machine that is not like others: no console, neither input nor
// output; a GDT whose limit is the largest, with a task state, which must be loaded again at the
// end; of the other processors, the first that comes has such a GDT, too, and the second a code
// segment with another selector. SMEP, SMAP, UMIP and protection keys are on, where the processor
// has them, and read-only pages are not read-only for the firmware. It looks at the state in which
// metal calls LocateProtocol and GetRNG, of a protocol that the machine must have, and on the other
// processors at MXCSR and the x87 control word, and reports what was wrong as register 30 and above.
//
// lateEntry is oddEntry where the third of the other processors comes to metal's procedure only
// after the program's end, when its memory is no longer the program's: metal must have stopped it.
//
// monitorEntry is checkedEntry on a machine whose graphics outputs have a monitor with the EDID
// edidBlock, which has no contents yet.
//
// failingEntry is checkedEntry with a boot service that fails. The load options end with a character
// and a digit, such as B2: of the functions in EFI_BOOT_SERVICES (UEFI 2.10, 4.4) A is the first, and
// its second and later calls return EFI_DEVICE_ERROR.

// pattern is what checkedEntry puts into BX, BP, SI, DI, R12 to R15 (words 0 to 7), X6 to X15 (words
// 8 to 27), MXCSR and the x87 control word (28), and the flags IF and DF (29).
var pattern = [30]uint64{
	0x0101010101010101, 0x0202020202020202, 0x0303030303030303, 0x0404040404040404,
	0x0505050505050505, 0x0606060606060606, 0x0707070707070707, 0x0808080808080808,
	0x1101010101010111, 0x1202020202020212, 0x1303030303030313, 0x1404040404040414,
	0x1505050505050515, 0x1606060606060616, 0x1707070707070717, 0x1808080808080818,
	0x2101010101010121, 0x2202020202020222, 0x2303030303030323, 0x2404040404040424,
	0x2505050505050525, 0x2606060606060626, 0x2707070707070727, 0x2808080808080828,
	0x3101010101010131, 0x3202020202020232, 0x3303030303030333, 0x3404040404040434,
	0x0000027F_00007F80, // rounding towards zero, in double precision
	0x200,               // IF set, DF clear
}

var (
	before, after, found [30]uint64 // the firmware's, the pattern's place, what metal returned with
	gdt                  [10]byte   // GDTR of the boot processor
	wideGDT              [10]byte
	wideTable            [8192]uint64
	oddTask              [104]byte
	oddGDT               [32]uint64 // of the second processor that comes
	oddArrivals          uint32
	systemTable          [120]byte
	bootServices         [512]byte
	locateProtocol       uintptr // the firmware's
	oddRNGProtocol       uintptr
	getRNG               uintptr // the firmware's
	mpProtocol           uintptr
	startupAllAPs        uintptr // the firmware's
	apProcedure          uintptr // metal's
	firmwareCR3          uint64
	firmwareCR0, oddCR0  uint64
	firmwareCR4, oddCR4  uint64
	closeEvent           uintptr // the firmware's
	mpEvent              uintptr // of StartupAllAPs
	late, gate           bool    // gate: the late processor may come
	cameLate             uint32
	callsSeen            uint64
	callFaults           uint64 // bit by bit what was wrong then

	mpServicesGUID = [4]uint32{0x3FDDA605, 0x4F46A76E, 0xF41229AD, 0x083D1B53}
	rngGUID        = [4]uint32{0x3152BCA5, 0x433DEADE, 0x1CC02E86, 0x441F29DC}

	failingService uintptr // the firmware's
	callsLeft      uint64  // before it fails
	loadedImage    uintptr

	edid        [2]uint64 // EFI_EDID_ACTIVE_PROTOCOL: the size, then the address of edidBlock
	edidBlock   [128]byte
	outputs     uintptr // handles of graphics outputs
	outputCount uintptr

	edidGUID   = [4]uint32{0xBD8C1056, 0x44EC9F36, 0x33A6A892, 0x8679817F}
	outputGUID = [4]uint32{0x9042A9DE, 0x4A3823DC, 0xDE7AFB96, 0x6A5180D0}
)

var changedText = []byte("entry: the firmware's register 00 has changed\n")
