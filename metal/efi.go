//go:build linux && amd64

package metal

import "unsafe"

// What the kernel uses of the UEFI specification 2.10, with its names in lower camel
// case and section numbers beside the structs. layout_test.go holds every offset against
// the specification.

// efiTableHeader is EFI_TABLE_HEADER (4.2).
type efiTableHeader struct {
	signature            uint64
	revision, headerSize uint32
	crc32, reserved      uint32
}

// efiSystemTable is EFI_SYSTEM_TABLE (4.3).
type efiSystemTable struct {
	header               efiTableHeader
	firmwareVendor       uintptr
	firmwareRevision     uint32
	_                    uint32
	consoleInHandle      uintptr
	conIn                uintptr // *efiSimpleTextInput
	consoleOutHandle     uintptr
	conOut               uintptr // *efiSimpleTextOutput
	standardErrorHandle  uintptr
	stdErr               uintptr
	runtimeServices      uintptr // *efiRuntimeServices
	bootServices         uintptr // *efiBootServices
	numberOfTableEntries uintptr
	configurationTable   uintptr
}

// efiBootServices is EFI_BOOT_SERVICES (4.4): function addresses.
type efiBootServices struct {
	header                                                         efiTableHeader
	raiseTPL, restoreTPL                                           uintptr
	allocatePages, freePages, getMemoryMap, allocatePool, freePool uintptr
	createEvent, setTimer, waitForEvent, signalEvent, closeEvent   uintptr
	checkEvent                                                     uintptr
	installProtocolInterface, reinstallProtocolInterface           uintptr
	uninstallProtocolInterface, handleProtocol, reserved           uintptr
	registerProtocolNotify, locateHandle, locateDevicePath         uintptr
	installConfigurationTable                                      uintptr
	loadImage, startImage, exit, unloadImage, exitBootServices     uintptr
	getNextMonotonicCount, stall, setWatchdogTimer                 uintptr
	connectController, disconnectController                        uintptr
	openProtocol, closeProtocol, openProtocolInformation           uintptr
	protocolsPerHandle, locateHandleBuffer, locateProtocol         uintptr
}

// efiRuntimeServices is the part of EFI_RUNTIME_SERVICES (4.5) that is used.
type efiRuntimeServices struct {
	header                                         efiTableHeader
	getTime, setTime, getWakeupTime, setWakeupTime uintptr
	setVirtualAddressMap, convertPointer           uintptr
	getVariable, getNextVariableName, setVariable  uintptr
	getNextHighMonotonicCount, resetSystem         uintptr
}

// efiMemoryDescriptor is EFI_MEMORY_DESCRIPTOR (7.2.3). The firmware's stride is
// its own DescriptorSize, 48 in EDK2, not the size of this struct.
type efiMemoryDescriptor struct {
	typ           uint32
	_             uint32
	physicalStart uint64
	virtualStart  uint64
	numberOfPages uint64
	attribute     uint64
}

const (
	efiLoaderData         = 2
	efiConventionalMemory = 7

	efiMemoryWB = 1 << 3
	efiMemorySP = 1 << 18 // specific-purpose memory, reserved for drivers that know it

	efiAllocateAddress = 2

	efiByProtocol = 2 // EFI_LOCATE_SEARCH_TYPE (7.3.15)
)

// efiSimpleTextInput is EFI_SIMPLE_TEXT_INPUT_PROTOCOL (12.3).
type efiSimpleTextInput struct {
	reset, readKeyStroke, waitForKey uintptr
}

// efiInputKey is EFI_INPUT_KEY (12.3.3).
type efiInputKey struct {
	scanCode, unicodeChar uint16
}

// efiSimpleTextInputEx is EFI_SIMPLE_TEXT_INPUT_EX_PROTOCOL (12.2).
type efiSimpleTextInputEx struct {
	reset, readKeyStrokeEx, waitForKeyEx, setState uintptr
	registerKeyNotify, unregisterKeyNotify         uintptr
}

// efiKeyData is EFI_KEY_DATA with its EFI_KEY_STATE (12.2.3).
type efiKeyData struct {
	efiInputKey
	shiftState  uint32
	toggleState byte
	_           [3]byte
}

// efiSimpleTextOutput is EFI_SIMPLE_TEXT_OUTPUT_PROTOCOL (12.4).
type efiSimpleTextOutput struct {
	reset, outputString, testString, queryMode, setMode uintptr
	setAttribute, clearScreen                           uintptr
	setCursorPosition, enableCursor                     uintptr
	mode                                                uintptr // *efiSimpleTextOutputMode
}

// efiSimpleTextOutputMode is SIMPLE_TEXT_OUTPUT_MODE (12.4.1).
type efiSimpleTextOutputMode struct {
	maxMode, mode, attribute, cursorColumn, cursorRow int32
	cursorVisible                                     bool
}

// efiSerialIO is the part of EFI_SERIAL_IO_PROTOCOL (12.8) that is used.
type efiSerialIO struct {
	revision                            uint32
	_                                   uint32
	reset, setAttributes                uintptr
	setControl, getControl, write, read uintptr
}

// efiHIIFont is EFI_HII_FONT_PROTOCOL (34.1).
type efiHIIFont struct {
	stringToImage, stringIDToImage, getGlyph, getFontInfo uintptr
}

// efiDevicePathNode is EFI_DEVICE_PATH_PROTOCOL (10.2): the header of a node of a device path.
type efiDevicePathNode struct {
	typ, subtype byte
	length       [2]byte // little-endian, with the header
}

const (
	efiMessagingDevicePath = 3  // 10.3.4
	efiMessagingUART       = 14 // 10.3.4.17
)

// efiLoadedImage is EFI_LOADED_IMAGE_PROTOCOL (9.1).
type efiLoadedImage struct {
	revision        uint32
	_               uint32
	parentHandle    uintptr
	systemTable     uintptr
	deviceHandle    uintptr
	filePath        uintptr // device path
	reserved        uintptr
	loadOptionsSize uint32 // bytes
	_               uint32
	loadOptions     uintptr // UTF-16, or any bytes
	imageBase       uintptr
	imageSize       uint64
}

// efiShellParameters is EFI_SHELL_PARAMETERS_PROTOCOL (UEFI Shell 2.2, 4.3), which
// the shell puts on the image that it starts.
type efiShellParameters struct {
	argv, argc uintptr // **CHAR16
}

// efiShellInterface is the part of EFI_SHELL_INTERFACE (EFI Shell 1.0, in EDK2's ShellPkg) that
// is used: what shells before 2.0 put there.
type efiShellInterface struct {
	imageHandle, info uintptr
	argv, argc        uintptr // **CHAR16
}

// efiShell is the part of EFI_SHELL_PROTOCOL (UEFI Shell 2.2, 2.2) that is used.
type efiShell struct {
	execute, getEnv, setEnv, getAlias, setAlias, getHelpText                           uintptr
	getDevicePathFromMap, getMapFromDevicePath                                         uintptr
	getDevicePathFromFilePath, getFilePathFromDevicePath, setMap, getCurDir, setCurDir uintptr
}

// efiSimpleFileSystem is EFI_SIMPLE_FILE_SYSTEM_PROTOCOL (13.4).
type efiSimpleFileSystem struct {
	revision   uint64
	openVolume uintptr
}

// efiFile is EFI_FILE_PROTOCOL (13.5), revision 1.
type efiFile struct {
	revision                                   uint64
	open, close, delete, read, write           uintptr
	getPosition, setPosition, getInfo, setInfo uintptr
	flush                                      uintptr
}

// efiTime is EFI_TIME (8.3).
type efiTime struct {
	year                             uint16
	month, day, hour, minute, second byte
	_                                byte
	nanosecond                       uint32
	timeZone                         int16 // minutes from UTC, or efiUnspecifiedTimeZone
	daylight, _                      byte
}

const efiUnspecifiedTimeZone = 0x7FF

// efiFileInfo is EFI_FILE_INFO (13.5.16); the name, UTF-16 with a zero, follows.
type efiFileInfo struct {
	size, fileSize, physicalSize     uint64
	create, lastAccess, modification efiTime
	attribute                        uint64
}

// efiFileSystemInfo is EFI_FILE_SYSTEM_INFO (13.5.17), with room for the label: one of FAT
// has 11 units.
type efiFileSystemInfo struct {
	size                  uint64
	readOnly              bool
	_                     [7]byte
	volumeSize, freeSpace uint64
	blockSize             uint32
	label                 [62]uint16
}

const (
	efiFileModeRead   = 1
	efiFileModeWrite  = 2
	efiFileModeCreate = 1 << 63
	efiFileReadOnly   = 0x01
	efiFileDirectory  = 0x10

	efiEventTimer    = 0x80000000
	efiTPLCallback   = 8
	efiTimerCancel   = 0
	efiTimerRelative = 2
)

// efiMPServices is EFI_MP_SERVICES_PROTOCOL (PI 1.7 volume 2, 13.4).
type efiMPServices struct {
	getNumberOfProcessors, getProcessorInfo, startupAllAPs uintptr
	startupThisAP, switchBSP, enableDisableAP, whoAmI      uintptr
}

// efiProcessorInformation is EFI_PROCESSOR_INFORMATION (there, GetProcessorInfo).
type efiProcessorInformation struct {
	processorID uint64 // of the local APIC
	statusFlag  uint32
	_           [9]uint32
}

const (
	efiProcessorAsBSP   = 1 << 0
	efiProcessorEnabled = 1 << 1
)

// efiGraphicsOutput is EFI_GRAPHICS_OUTPUT_PROTOCOL (12.9.2).
type efiGraphicsOutput struct {
	queryMode, setMode, blt uintptr
	mode                    uintptr // *efiGraphicsOutputMode
}

// efiGraphicsOutputMode is EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE.
type efiGraphicsOutputMode struct {
	maxMode, mode    uint32
	info, sizeOfInfo uintptr // *efiGraphicsOutputModeInformation
	frameBufferBase  uint64
	frameBufferSize  uintptr
}

// efiGraphicsOutputModeInformation is EFI_GRAPHICS_OUTPUT_MODE_INFORMATION.
type efiGraphicsOutputModeInformation struct {
	version                                  uint32
	horizontalResolution, verticalResolution uint32
	pixelFormat                              uint32
	redMask, greenMask, blueMask             uint32 // EFI_PIXEL_BITMASK
	reservedMask, pixelsPerScanLine          uint32
}

// EFI_GRAPHICS_PIXEL_FORMAT: in bytes of a pixel, from the first one. A mode may have another
// one, without a framebuffer.
const (
	efiPixelRGB     = 0
	efiPixelBGR     = 1
	efiPixelBitMask = 2
)

// efiEDID is EFI_EDID_ACTIVE_PROTOCOL and EFI_EDID_DISCOVERED_PROTOCOL (12.9.3).
type efiEDID struct {
	size uint32
	_    uint32
	data uintptr
}

// efiRNG is EFI_RNG_PROTOCOL (37.5).
type efiRNG struct {
	getInfo, getRNG uintptr
}

// guid is EFI_GUID.
type guid struct {
	a    uint32
	b, c uint16
	d    [8]byte
}

var (
	loadedImageGUID       = guid{0x5B1B31A1, 0x9562, 0x11D2, [8]byte{0x8E, 0x3F, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}}
	shellParametersGUID   = guid{0x752F3136, 0x4E16, 0x4FDC, [8]byte{0xA2, 0x2A, 0xE5, 0xF4, 0x68, 0x12, 0xF4, 0xCA}}
	shellInterfaceGUID    = guid{0x47C7B223, 0xC42A, 0x11D2, [8]byte{0x8E, 0x57, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}}
	shellGUID             = guid{0x6302D008, 0x7F9B, 0x4F30, [8]byte{0x87, 0xAC, 0x60, 0xC9, 0xFE, 0xF5, 0xDA, 0x4E}}
	simpleFileSystemGUID  = guid{0x964E5B22, 0x6459, 0x11D2, [8]byte{0x8E, 0x39, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}}
	fileInfoGUID          = guid{0x09576E92, 0x6D3F, 0x11D2, [8]byte{0x8E, 0x39, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}}
	fileSystemInfoGUID    = guid{0x09576E93, 0x6D3F, 0x11D2, [8]byte{0x8E, 0x39, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}}
	simpleTextInputExGUID = guid{0xDD9E7534, 0x7762, 0x4698, [8]byte{0x8C, 0x14, 0xF5, 0x85, 0x17, 0xA6, 0x25, 0xAA}}
	// consoleInDeviceGUID is EDK2's mark of the devices that ConIn joins (MdeModulePkg, ConsoleInDevice.h).
	consoleInDeviceGUID  = guid{0xD3B36F2B, 0xD551, 0x11D4, [8]byte{0x9A, 0x46, 0x00, 0x90, 0x27, 0x3F, 0xC1, 0x4D}}
	simpleTextOutputGUID = guid{0x387477C2, 0x69C7, 0x11D2, [8]byte{0x8E, 0x39, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}}
	graphicsOutputGUID   = guid{0x9042A9DE, 0x23DC, 0x4A38, [8]byte{0x96, 0xFB, 0x7A, 0xDE, 0xD0, 0x80, 0x51, 0x6A}}
	edidDiscoveredGUID   = guid{0x1C0C34F6, 0xD380, 0x41FA, [8]byte{0xA0, 0x49, 0x8A, 0xD0, 0x6C, 0x1A, 0x66, 0xAA}}
	edidActiveGUID       = guid{0xBD8C1056, 0x9F36, 0x44EC, [8]byte{0x92, 0xA8, 0xA6, 0x33, 0x7F, 0x81, 0x79, 0x86}}
	mpServicesGUID       = guid{0x3FDDA605, 0xA76E, 0x4F46, [8]byte{0xAD, 0x29, 0x12, 0xF4, 0x53, 0x1B, 0x3D, 0x08}}
	rngGUID              = guid{0x3152BCA5, 0xEADE, 0x433D, [8]byte{0x86, 0x2E, 0xC0, 0x1C, 0xDC, 0x29, 0x1F, 0x44}}
	// consoleOutDeviceGUID is gEfiConsoleOutDeviceGuid of EDK2 and what derives from it: it is on each handle whose console is
	// a part of ConOut. The specification has no name for that.
	consoleOutDeviceGUID = guid{0xD3B36F2C, 0xD551, 0x11D4, [8]byte{0x9A, 0x46, 0x00, 0x90, 0x27, 0x3F, 0xC1, 0x4D}}
	devicePathGUID       = guid{0x09576E91, 0x6D3F, 0x11D2, [8]byte{0x8E, 0x39, 0x00, 0xA0, 0xC9, 0x69, 0x72, 0x3B}}
	hiiFontGUID          = guid{0xE9CA4775, 0x8657, 0x47FC, [8]byte{0x97, 0xE7, 0x7E, 0xD6, 0x5A, 0x08, 0x43, 0x24}}
	serialIOGUID         = guid{0xBB25CF6F, 0xF1D4, 0x11D2, [8]byte{0x9A, 0x0C, 0x00, 0x90, 0x27, 0x3F, 0xC1, 0xFD}}
)

// Status codes (UEFI appendix D): errors have the top bit set, warnings do not.
const (
	efiError             = 1 << 63
	efiSuccess           = 0
	efiWarnDeleteFailure = 2
	efiInvalidParameter  = efiError | 2
	efiUnsupported       = efiError | 3
	efiBufferTooSmall    = efiError | 5
	efiNotReady          = efiError | 6
	efiDeviceError       = efiError | 7
	efiWriteProtected    = efiError | 8
	efiOutOfResources    = efiError | 9
	efiVolumeCorrupted   = efiError | 10
	efiVolumeFull        = efiError | 11
	efiNoMedia           = efiError | 12
	efiMediaChanged      = efiError | 13
	efiNotFound          = efiError | 14
	efiAccessDenied      = efiError | 15
	efiTimeout           = efiError | 18
	efiAborted           = efiError | 21
	efiOEM               = efiError | 1<<62 // appendix D: the range reserved for the maker of a program
)

// statusName returns the specification's name of a status.
func statusName(status uintptr) string {
	switch status {
	case efiSuccess:
		return "EFI_SUCCESS"
	case efiWarnDeleteFailure:
		return "EFI_WARN_DELETE_FAILURE"
	case efiInvalidParameter:
		return "EFI_INVALID_PARAMETER"
	case efiUnsupported:
		return "EFI_UNSUPPORTED"
	case efiBufferTooSmall:
		return "EFI_BUFFER_TOO_SMALL"
	case efiNotReady:
		return "EFI_NOT_READY"
	case efiDeviceError:
		return "EFI_DEVICE_ERROR"
	case efiWriteProtected:
		return "EFI_WRITE_PROTECTED"
	case efiOutOfResources:
		return "EFI_OUT_OF_RESOURCES"
	case efiVolumeCorrupted:
		return "EFI_VOLUME_CORRUPTED"
	case efiVolumeFull:
		return "EFI_VOLUME_FULL"
	case efiNoMedia:
		return "EFI_NO_MEDIA"
	case efiMediaChanged:
		return "EFI_MEDIA_CHANGED"
	case efiNotFound:
		return "EFI_NOT_FOUND"
	case efiAccessDenied:
		return "EFI_ACCESS_DENIED"
	case efiTimeout:
		return "EFI_TIMEOUT"
	case efiAborted:
		return "EFI_ABORTED"
	}
	return "EFI status"
}

var (
	imageHandle        uintptr // EFI_HANDLE of this program
	systemTableAddress uintptr // *efiSystemTable
	worldEntered       bool    // enterKernelWorld has run: callFirmware must change worlds
	inFirmware         uint64  // 1 during a call
	callArgs           [10]uintptr
	callService        = callFirmware // a test has a firmware of its own
)

// firmware calls a firmware function, on the boot processor. What the function reads or
// writes must be memory that the firmware has mapped, too: variables of this package or
// physical pages, never the stack or heap of the Go program. No lock may be held: there is
// no limit to how long a call takes.
func firmware(fn uintptr, args ...uintptr) (status uintptr) {
	for i := range callArgs {
		callArgs[i] = 0
		if i < len(args) {
			callArgs[i] = args[i]
		}
	}
	swap(&inFirmware, 1)
	awaitReach()
	status = callService(fn, &callArgs)
	store(&inFirmware, 0)
	return status
}

func systemTable() *efiSystemTable   { return at[efiSystemTable](systemTableAddress) }
func bootServices() *efiBootServices { return at[efiBootServices](systemTable().bootServices) }

// at returns the T at an address: the one place where numbers become pointers.
func at[T any](a uintptr) *T { return *(**T)(unsafe.Pointer(&a)) }

// address is the inverse of at.
func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// firmwareResult is where a firmware function stores what it returns through a pointer.
// The caller reads it at once: the next call may overwrite it.
var firmwareResult uintptr

// openProtocol stores the interface of a protocol on a handle in firmwareResult. EDK2 remembers
// who has looked, in memory of its own, until that image ends: with HandleProtocol it remembers
// itself, for ever, and after the first program a page of memory was missing.
func openProtocol(handle uintptr, id *guid) (status uintptr) {
	const getProtocol = 2
	return firmware(bootServices().openProtocol, handle, address(id), address(&firmwareResult), imageHandle, 0, getProtocol)
}

// handleProtocol finds the interface of a protocol on a handle; 0 if there is none.
func handleProtocol(handle uintptr, id *guid) uintptr {
	if openProtocol(handle, id) != efiSuccess {
		return 0
	}
	return firmwareResult
}

// locateProtocol finds the first interface of a protocol on any handle.
func locateProtocol(id *guid) (found, status uintptr) {
	status = firmware(bootServices().locateProtocol, address(id), 0, address(&firmwareResult))
	return firmwareResult, status
}
