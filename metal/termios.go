//go:build linux && amd64

package metal

// The settings of the terminal and the requests that read and change them, as in Linux
// (asm-generic/termbits.h, asm-generic/ioctls.h, n_tty.c). There is one terminal: the
// standard streams and every open file of /dev/tty and /dev/console are the same.

// Input modes (c_iflag). What is not here has no effect: a key has no parity, and a
// terminal that cannot stop its output needs no XON.
const (
	inputINLCR  = 0x40
	inputIGNCR  = 0x80
	inputICRNL  = 0x100
	inputIXON   = 0x400
	inputIUTF8  = 0x4000
	inputISTRIP = 0x20
)

// Output modes (c_oflag).
const (
	outputOPOST = 0x1
	outputONLCR = 0x4
)

// Local modes (c_lflag).
const (
	localISIG    = 0x1
	localICANON  = 0x2
	localECHO    = 0x8
	localECHOE   = 0x10
	localECHOK   = 0x20
	localECHONL  = 0x40
	localNOFLSH  = 0x80
	localECHOCTL = 0x200
	localECHOKE  = 0x800
	localIEXTEN  = 0x8000
)

const controlB38400CS8CREAD = 0xBF // c_cflag: B38400 | CS8 | CREAD, as Linux's consoles have

// Indices of c_cc.
const (
	charVINTR    = 0
	charVQUIT    = 1
	charVERASE   = 2
	charVKILL    = 3
	charVEOF     = 4
	charVTIME    = 5
	charVMIN     = 6
	charVSUSP    = 10
	charVEOL     = 11
	charVREPRINT = 12
	charVWERASE  = 14
	charVLNEXT   = 15
	charVEOL2    = 16
)

// termios is the kernel's struct termios.
type termios struct {
	input, output, control, local uint32
	line                          byte
	chars                         [19]byte
}

// settings are the terminal's; a program starts with Linux's defaults. Only the boot
// processor changes them.
var settings = termios{
	input:   inputICRNL | inputIXON | inputIUTF8,
	output:  outputOPOST | outputONLCR,
	control: controlB38400CS8CREAD,
	local:   localISIG | localICANON | localECHO | localECHOE | localECHOK | localECHOCTL | localECHOKE | localIEXTEN,
	chars: [19]byte{
		charVINTR: 0x03, charVQUIT: 0x1C, charVERASE: 0x7F, charVKILL: 0x15, charVEOF: 0x04, charVMIN: 1,
		charVSUSP: 0x1A, charVREPRINT: 0x12, charVWERASE: 0x17, charVLNEXT: 0x16, 8: 0x11, 9: 0x13, 13: 0x0F,
	},
}

func isCanonical() bool { return settings.local&localICANON != 0 }

// Requests of ioctl.
const (
	requestTCGETS     = 0x5401
	requestTCSETS     = 0x5402
	requestTCSETSW    = 0x5403
	requestTCSETSF    = 0x5404
	requestTCSBRK     = 0x5409
	requestTCXONC     = 0x540A
	requestTCFLSH     = 0x540B
	requestTIOCSCTTY  = 0x540E
	requestTIOCGPGRP  = 0x540F
	requestTIOCSPGRP  = 0x5410
	requestTIOCOUTQ   = 0x5411
	requestFIONREAD   = 0x541B // TIOCINQ is the same
	requestFIONBIO    = 0x5421
	requestTIOCGSID   = 0x5429
	requestKDGKBTYPE  = 0x4B33
	requestKDSKBENT   = 0x4B47
	requestKDGKBENT   = 0x4B46
	requestKDSKBDIACR = 0x4BFB // KDSKBDIACRUC
)

// ioctl carries out a request about a descriptor.
func ioctl(fd, request, argument uintptr) uint64 {
	if !isOpen(fd) {
		return errno(ebadf)
	}
	switch f := &files[fd]; f.kind {
	case kindConsole:
		return ttyIoctl(f, uintptr(uint32(request)), argument)
	case kindVCS:
		return displayIoctl(uintptr(uint32(request)), argument)
	case kindFramebuffer:
		return framebufferIoctl(uintptr(uint32(request)), argument)
	}
	return errno(enotty)
}

func ttyIoctl(f *file, request, argument uintptr) uint64 {
	switch request {
	case requestTCGETS, requestTCSETS, requestTCSETSW, requestTCSETSF, requestTIOCGPGRP, requestTIOCOUTQ,
		requestFIONREAD, requestFIONBIO, requestTIOCGSID, requestKDGKBTYPE, requestKDSKBENT, requestKDGKBENT, requestKDSKBDIACR:
		if argument == 0 {
			return errno(efault)
		}
	}
	switch request {
	case requestTCGETS:
		*at[termios](argument) = settings
	case requestTCSETSF:
		drainOutput()
		flushInput()
		setSettings(at[termios](argument))
	case requestTCSETS, requestTCSETSW:
		drainOutput()
		setSettings(at[termios](argument))
	case requestTCSBRK:
		drainOutput()
	case requestTCXONC, requestTIOCSCTTY, requestTIOCSPGRP: // output never stops; there is one process
	case requestTCFLSH:
		const input, output, both = 0, 1, 2
		switch argument {
		case input, both:
			flushInput()
		case output:
		default:
			return errno(einval)
		}
	case requestTIOCGPGRP, requestTIOCGSID:
		*at[int32](argument) = 1
	case requestTIOCOUTQ:
		*at[int32](argument) = 0
	case requestFIONREAD:
		*at[int32](argument) = int32(readable())
	case requestFIONBIO:
		f.flags &^= oNonblock
		if *at[int32](argument) != 0 {
			f.flags |= oNonblock
		}
	case requestKDGKBTYPE:
		*at[byte](argument) = 2 // KB_101
	case requestKDSKBENT:
		return setKeyEntry(at[keyEntry](argument))
	case requestKDGKBENT:
		return getKeyEntry(at[keyEntry](argument))
	case requestKDSKBDIACR:
		return setComposeTable(argument)
	default:
		return displayIoctl(request, argument)
	}
	return 0
}

// setSettings changes the settings. What has been typed stays: in raw mode all of it can be
// read, and back in canonical mode what no read has returned is a line.
func setSettings(s *termios) {
	before := settings.local & localICANON
	settings = *s
	settings.control = controlB38400CS8CREAD
	outputNewLine = settings.output&(outputOPOST|outputONLCR) == outputOPOST|outputONLCR
	if settings.local&localICANON != before {
		changeDiscipline()
	}
	serveReaders()
}
