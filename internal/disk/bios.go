package disk

import "slices"

// biosText is what a person reads whose PC starts the stick as a BIOS does. An IBM PC's screen has 80 columns.
const biosText = "This stick needs UEFI: the PC has started it in BIOS mode (legacy, CSM).\r\n\r\n" +
	"In the PC's setup (often F2 or Del), set the boot mode to UEFI. Or choose, in\r\n" +
	"its boot menu (often F12, F11 or Esc), the stick's entry that says UEFI.\r\n\r\n" +
	"Press a key to restart the PC.\r\n"

// biosCode prints biosText, waits for a key and restarts the PC. It is 16-bit code for any x86 processor, and runs wherever a
// BIOS puts it: as the boot code of the MBR (at 0000:7C00, at most 440 bytes) and, for who copies the partition alone to a
// stick, as that of the FAT (90 bytes further, at most 420).
var biosCode = slices.Concat(
	[]byte{0x31, 0xc0},                   //        xor  ax, ax
	[]byte{0x8e, 0xd0},                   //        mov  ss, ax
	[]byte{0xbc, 0x00, 0x7c},             //        mov  sp, 7C00h   ; the stack ends where the code begins
	[]byte{0x0e},                         //        push cs
	[]byte{0x1f},                         //        pop  ds
	[]byte{0xfb},                         //        sti              ; for the keyboard
	[]byte{0xfc},                         //        cld
	[]byte{0xb8, 0x03, 0x00},             //        mov  ax, 0003h   ; set the mode: text, 80x25
	[]byte{0xcd, 0x10},                   //        int  10h
	[]byte{0xe8, 0x00, 0x00},             //        call here
	[]byte{0x5e},                         // here:  pop  si          ; its address
	[]byte{0x83, 0xc6, 0x1b},             //        add  si, text-here
	[]byte{0xac},                         // next:  lodsb
	[]byte{0x84, 0xc0},                   //        test al, al
	[]byte{0x74, 0x09},                   //        jz   key
	[]byte{0xb4, 0x0e},                   //        mov  ah, 0Eh     ; write al like a teletype
	[]byte{0xbb, 0x07, 0x00},             //        mov  bx, 0007h   ; page 0, grey
	[]byte{0xcd, 0x10},                   //        int  10h
	[]byte{0xeb, 0xf2},                   //        jmp  next
	[]byte{0x30, 0xe4},                   // key:   xor  ah, ah      ; wait for a key
	[]byte{0xcd, 0x16},                   //        int  16h
	[]byte{0xea, 0xf0, 0xff, 0x00, 0xf0}, //        jmp  F000:FFF0h  ; where the processor begins after a reset
	[]byte(biosText), []byte{0},          // text:
)
