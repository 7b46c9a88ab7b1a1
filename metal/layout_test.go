//go:build linux && amd64

package metal

import (
	"fmt"
	"testing"
	"unsafe"

	"bootllama/metal/vt"
)

// layout is a size or an offset, and what a specification says it is.
type layout struct {
	name      string
	got, want uintptr
}

// TestLayouts compares the offsets of firmware and Linux structures with their
// specifications: UEFI 2.10 (section in efi.go beside each struct), Linux's
// asm-generic/signal.h, and those of archLayouts.
func TestLayouts(t *testing.T) {
	var (
		system  efiSystemTable
		boot    efiBootServices
		runtime efiRuntimeServices
		memory  efiMemoryDescriptor
		input   efiSimpleTextInput
		output  efiSimpleTextOutput
		image   efiLoadedImage
		volume  efiSimpleFileSystem
		file    efiFile
		date    efiTime
		info    efiFileInfo
		random  efiRNG
		mp      efiMPServices
		ap      efiProcessorInformation
		old     efiShellInterface
		shell   efiShell
	)
	for _, c := range append(archLayouts(), []layout{
		{"EFI_TABLE_HEADER", unsafe.Sizeof(system.header), 24},
		{"SystemTable.ConIn", unsafe.Offsetof(system.conIn), 48},
		{"SystemTable.ConOut", unsafe.Offsetof(system.conOut), 64},
		{"SystemTable.RuntimeServices", unsafe.Offsetof(system.runtimeServices), 88},
		{"SystemTable.BootServices", unsafe.Offsetof(system.bootServices), 96},
		{"BootServices.AllocatePages", unsafe.Offsetof(boot.allocatePages), 40},
		{"BootServices.FreePages", unsafe.Offsetof(boot.freePages), 48},
		{"BootServices.GetMemoryMap", unsafe.Offsetof(boot.getMemoryMap), 56},
		{"BootServices.FreePool", unsafe.Offsetof(boot.freePool), 72},
		{"BootServices.CreateEvent", unsafe.Offsetof(boot.createEvent), 80},
		{"BootServices.SetTimer", unsafe.Offsetof(boot.setTimer), 88},
		{"BootServices.WaitForEvent", unsafe.Offsetof(boot.waitForEvent), 96},
		{"BootServices.CloseEvent", unsafe.Offsetof(boot.closeEvent), 112},
		{"BootServices.CheckEvent", unsafe.Offsetof(boot.checkEvent), 120},
		{"BootServices.FreePool", unsafe.Offsetof(boot.freePool), 72},
		{"BootServices.HandleProtocol", unsafe.Offsetof(boot.handleProtocol), 152},
		{"BootServices.OpenProtocol", unsafe.Offsetof(boot.openProtocol), 280},
		{"BootServices.LocateHandleBuffer", unsafe.Offsetof(boot.locateHandleBuffer), 312},
		{"BootServices.Stall", unsafe.Offsetof(boot.stall), 248},
		{"BootServices.SetWatchdogTimer", unsafe.Offsetof(boot.setWatchdogTimer), 256},
		{"BootServices.LocateProtocol", unsafe.Offsetof(boot.locateProtocol), 320},
		{"RuntimeServices.GetTime", unsafe.Offsetof(runtime.getTime), 24},
		{"RuntimeServices.ResetSystem", unsafe.Offsetof(runtime.resetSystem), 104},
		{"EFI_MEMORY_DESCRIPTOR", unsafe.Sizeof(memory), 40},
		{"MemoryDescriptor.PhysicalStart", unsafe.Offsetof(memory.physicalStart), 8},
		{"MemoryDescriptor.NumberOfPages", unsafe.Offsetof(memory.numberOfPages), 24},
		{"MemoryDescriptor.Attribute", unsafe.Offsetof(memory.attribute), 32},
		{"SimpleTextInput.ReadKeyStroke", unsafe.Offsetof(input.readKeyStroke), 8},
		{"SimpleTextInput.WaitForKey", unsafe.Offsetof(input.waitForKey), 16},
		{"SimpleTextOutput.OutputString", unsafe.Offsetof(output.outputString), 8},
		{"SimpleTextOutput.EnableCursor", unsafe.Offsetof(output.enableCursor), 64},
		{"SimpleTextOutput.Mode", unsafe.Offsetof(output.mode), 72},
		{"SimpleTextOutputMode.CursorVisible", unsafe.Offsetof(efiSimpleTextOutputMode{}.cursorVisible), 20},
		{"EFI_INPUT_KEY", unsafe.Sizeof(efiInputKey{}), 4},
		{"SimpleTextInputEx.ReadKeyStrokeEx", unsafe.Offsetof(efiSimpleTextInputEx{}.readKeyStrokeEx), 8},
		{"SimpleTextInputEx.SetState", unsafe.Offsetof(efiSimpleTextInputEx{}.setState), 24},
		{"EFI_KEY_DATA", unsafe.Sizeof(efiKeyData{}), 12},
		{"KeyState.KeyShiftState", unsafe.Offsetof(efiKeyData{}.shiftState), 4},
		{"KeyState.KeyToggleState", unsafe.Offsetof(efiKeyData{}.toggleState), 8},
		{"BootServices.LocateHandle", unsafe.Offsetof(boot.locateHandle), 176},
		{"RuntimeServices.ResetSystem", unsafe.Offsetof(runtime.resetSystem), 104},
		{"LoadedImage.DeviceHandle", unsafe.Offsetof(image.deviceHandle), 24},
		{"LoadedImage.LoadOptionsSize", unsafe.Offsetof(image.loadOptionsSize), 48},
		{"LoadedImage.LoadOptions", unsafe.Offsetof(image.loadOptions), 56},
		{"LoadedImage.ImageBase", unsafe.Offsetof(image.imageBase), 64},
		{"LoadedImage.ImageSize", unsafe.Offsetof(image.imageSize), 72},
		{"LoadedImage.FilePath", unsafe.Offsetof(image.filePath), 32},
		{"ShellParameters.Argc", unsafe.Offsetof(efiShellParameters{}.argc), 8},
		{"EFI_SHELL_INTERFACE.Argv", unsafe.Offsetof(old.argv), 16},
		{"EFI_SHELL_INTERFACE.Argc", unsafe.Offsetof(old.argc), 24},
		{"Shell.GetDevicePathFromMap", unsafe.Offsetof(shell.getDevicePathFromMap), 48},
		{"Shell.GetCurDir", unsafe.Offsetof(shell.getCurDir), 88},
		{"BootServices.LocateDevicePath", unsafe.Offsetof(boot.locateDevicePath), 184},
		{"SimpleFileSystem.OpenVolume", unsafe.Offsetof(volume.openVolume), 8},
		{"File.Open", unsafe.Offsetof(file.open), 8},
		{"File.Close", unsafe.Offsetof(file.close), 16},
		{"File.Delete", unsafe.Offsetof(file.delete), 24},
		{"File.Read", unsafe.Offsetof(file.read), 32},
		{"File.Write", unsafe.Offsetof(file.write), 40},
		{"File.SetPosition", unsafe.Offsetof(file.setPosition), 56},
		{"File.GetInfo", unsafe.Offsetof(file.getInfo), 64},
		{"File.SetInfo", unsafe.Offsetof(file.setInfo), 72},
		{"File.Flush", unsafe.Offsetof(file.flush), 80},
		{"EFI_TIME", unsafe.Sizeof(date), 16},
		{"Time.Nanosecond", unsafe.Offsetof(date.nanosecond), 8},
		{"Time.TimeZone", unsafe.Offsetof(date.timeZone), 12},
		{"FileInfo.FileSize", unsafe.Offsetof(info.fileSize), 8},
		{"FileInfo.ModificationTime", unsafe.Offsetof(info.modification), 56},
		{"FileInfo.Attribute", unsafe.Offsetof(info.attribute), 72},
		{"FileInfo.FileName", unsafe.Sizeof(info), 80},
		{"fileInfo.name", unsafe.Offsetof(infoBuffer.name), 80},
		{"SimpleTextOutput.TestString", unsafe.Offsetof(output.testString), 16},
		{"SimpleTextOutput.QueryMode", unsafe.Offsetof(output.queryMode), 24},
		{"SimpleTextOutput.SetMode", unsafe.Offsetof(output.setMode), 32},
		{"SimpleTextOutput.SetAttribute", unsafe.Offsetof(output.setAttribute), 40},
		{"SimpleTextOutput.ClearScreen", unsafe.Offsetof(output.clearScreen), 48},
		{"SimpleTextOutput.SetCursorPosition", unsafe.Offsetof(output.setCursorPosition), 56},
		{"SimpleTextOutputMode.Attribute", unsafe.Offsetof(efiSimpleTextOutputMode{}.attribute), 8},
		{"SimpleTextOutputMode.CursorColumn", unsafe.Offsetof(efiSimpleTextOutputMode{}.cursorColumn), 12},
		{"SimpleTextOutputMode.CursorRow", unsafe.Offsetof(efiSimpleTextOutputMode{}.cursorRow), 16},
		{"SystemTable.ConsoleOutHandle", unsafe.Offsetof(system.consoleOutHandle), 56},
		{"BootServices.LocateHandle", unsafe.Offsetof(boot.locateHandle), 176},
		{"HIIFont.GetGlyph", unsafe.Offsetof(efiHIIFont{}.getGlyph), 16},
		{"SerialIo.Write", unsafe.Offsetof(efiSerialIO{}.write), 40},
		{"EFI_DEVICE_PATH_PROTOCOL", unsafe.Sizeof(efiDevicePathNode{}), 4},
		{"winsize", unsafe.Sizeof(winsize{}), 8},
		{"vt.Cell", unsafe.Sizeof(vt.Cell{}), vt.CellSize},
		{"RNG.GetRNG", unsafe.Offsetof(random.getRNG), 8},
		{"ProcessorInformation.StatusFlag", unsafe.Offsetof(ap.statusFlag), 8},
		{"EFI_PROCESSOR_INFORMATION", unsafe.Sizeof(ap), 48},
		{"MPServices.StartupAllAPs", unsafe.Offsetof(mp.startupAllAPs), 16},
		{"MPServices.WhoAmI", unsafe.Offsetof(mp.whoAmI), 48},
		{"EFI_FILE_SYSTEM_INFO.VolumeSize", unsafe.Offsetof(volumeBuffer.volumeSize), 16},
		{"EFI_FILE_SYSTEM_INFO.BlockSize", unsafe.Offsetof(volumeBuffer.blockSize), 32},
		{"EFI_FILE_SYSTEM_INFO.VolumeLabel", unsafe.Offsetof(volumeBuffer.label), 36},
		{"EFI_FILE_SYSTEM_INFO with 61 characters", unsafe.Sizeof(volumeBuffer), 36 + 62*2},
		{"EFI_GUID", unsafe.Sizeof(guid{}), 16},

		{"stack_t.ss_size", unsafe.Offsetof(altStack{}.size), 16},
		{"sigaction", unsafe.Sizeof(sigaction{}), 32},
	}...) {
		if c.got != c.want {
			t.Errorf("%s: %d, the specification says %d", c.name, c.got, c.want)
		}
	}
	if unsafe.Offsetof(bootCore.kernelStack) >= unsafe.Offsetof(bootCore.trapStack) {
		t.Error("the stacks of a core are not in the order that trap relies on")
	}
	if unsafe.Offsetof(thread{}.registers) != 0 {
		t.Error("the registers are not first in a thread, where the assembly looks for them")
	}
}

// TestGUIDs writes the GUIDs as the specification prints them.
func TestGUIDs(t *testing.T) {
	for want, g := range map[string]guid{
		"5b1b31a1-9562-11d2-8e3f-00a0c969723b": loadedImageGUID,
		"752f3136-4e16-4fdc-a22a-e5f46812f4ca": shellParametersGUID,
		"47c7b223-c42a-11d2-8e57-00a0c969723b": shellInterfaceGUID,
		"6302d008-7f9b-4f30-87ac-60c9fef5da4e": shellGUID,
		"964e5b22-6459-11d2-8e39-00a0c969723b": simpleFileSystemGUID,
		"09576e92-6d3f-11d2-8e39-00a0c969723b": fileInfoGUID,
		"09576e93-6d3f-11d2-8e39-00a0c969723b": fileSystemInfoGUID,
		"3152bca5-eade-433d-862e-c01cdc291f44": rngGUID,
		"09576e91-6d3f-11d2-8e39-00a0c969723b": devicePathGUID,
		"e9ca4775-8657-47fc-97e7-7ed65a084324": hiiFontGUID,
		"387477c2-69c7-11d2-8e39-00a0c969723b": simpleTextOutputGUID,
		"bb25cf6f-f1d4-11d2-9a0c-0090273fc1fd": serialIOGUID,
		"d3b36f2c-d551-11d4-9a46-0090273fc14d": consoleOutDeviceGUID,
		"3fdda605-a76e-4f46-ad29-12f4531b3d08": mpServicesGUID,
		"dd9e7534-7762-4698-8c14-f58517a625aa": simpleTextInputExGUID,
		"d3b36f2b-d551-11d4-9a46-0090273fc14d": consoleInDeviceGUID,
		"9042a9de-23dc-4a38-96fb-7aded080516a": graphicsOutputGUID,
		"1c0c34f6-d380-41fa-a049-8ad06c1a66aa": edidDiscoveredGUID,
		"bd8c1056-9f36-44ec-92a8-a6337f817986": edidActiveGUID,
	} {
		if got := fmt.Sprintf("%08x-%04x-%04x-%x-%x", g.a, g.b, g.c, g.d[:2], g.d[2:]); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestFirmwareNumbers compares numbers with the specification (UEFI 2.10; PI 1.7 volume 2, 13.4).
func TestFirmwareNumbers(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want uint64
	}{
		{"EfiLoaderData", efiLoaderData, 2},
		{"EfiConventionalMemory", efiConventionalMemory, 7},
		{"EFI_MEMORY_WB", efiMemoryWB, 0x8},
		{"EFI_MEMORY_SP", efiMemorySP, 0x40000},
		{"AllocateAddress", efiAllocateAddress, 2},
		{"ByProtocol", efiByProtocol, 2},
		{"MESSAGING_DEVICE_PATH", efiMessagingDevicePath, 3},
		{"MSG_UART_DP", efiMessagingUART, 14},
		{"EFI_UNSPECIFIED_TIMEZONE", efiUnspecifiedTimeZone, 0x7FF},
		{"EFI_FILE_MODE_READ", efiFileModeRead, 1},
		{"EFI_FILE_MODE_WRITE", efiFileModeWrite, 2},
		{"EFI_FILE_MODE_CREATE", efiFileModeCreate, 0x8000000000000000},
		{"EFI_FILE_READ_ONLY", efiFileReadOnly, 0x01},
		{"EFI_FILE_DIRECTORY", efiFileDirectory, 0x10},
		{"EVT_TIMER", efiEventTimer, 0x80000000},
		{"TPL_CALLBACK", efiTPLCallback, 8},
		{"TimerCancel", efiTimerCancel, 0},
		{"TimerRelative", efiTimerRelative, 2},
		{"PROCESSOR_AS_BSP_BIT", efiProcessorAsBSP, 1},
		{"PROCESSOR_ENABLED_BIT", efiProcessorEnabled, 2},
		{"PixelRedGreenBlueReserved8BitPerColor", efiPixelRGB, 0},
		{"PixelBlueGreenRedReserved8BitPerColor", efiPixelBGR, 1},
		{"PixelBitMask", efiPixelBitMask, 2},
		{"EfiResetCold", efiResetCold, 0},
		{"EfiResetShutdown", efiResetShutdown, 2},
		{"the first status of a program's maker", efiOEM, 0xC000000000000000},
	} {
		if c.got != c.want {
			t.Errorf("%s: %#x, the specification says %#x", c.name, c.got, c.want)
		}
	}
}

// TestStatusNames compares the names that a person reads with those of UEFI 2.10, appendix D.
func TestStatusNames(t *testing.T) {
	for status, want := range map[uintptr]string{
		0: "EFI_SUCCESS", 2: "EFI_WARN_DELETE_FAILURE", 4: "EFI status",
		1<<63 | 2: "EFI_INVALID_PARAMETER", 1<<63 | 3: "EFI_UNSUPPORTED", 1<<63 | 5: "EFI_BUFFER_TOO_SMALL", 1<<63 | 6: "EFI_NOT_READY",
		1<<63 | 7: "EFI_DEVICE_ERROR", 1<<63 | 8: "EFI_WRITE_PROTECTED", 1<<63 | 9: "EFI_OUT_OF_RESOURCES", 1<<63 | 10: "EFI_VOLUME_CORRUPTED",
		1<<63 | 11: "EFI_VOLUME_FULL", 1<<63 | 12: "EFI_NO_MEDIA", 1<<63 | 13: "EFI_MEDIA_CHANGED", 1<<63 | 14: "EFI_NOT_FOUND",
		1<<63 | 15: "EFI_ACCESS_DENIED", 1<<63 | 18: "EFI_TIMEOUT", 1<<63 | 21: "EFI_ABORTED", 1<<63 | 99: "EFI status",
	} {
		if got := statusName(status); got != want {
			t.Errorf("%#x is %s, want %s", status, got, want)
		}
	}
}
