//go:build linux

package metal

// Numbers of the system calls (asm/unistd_64.h).
const (
	sysRead             = 0
	sysWrite            = 1
	sysClose            = 3
	sysFstat            = 5
	sysPoll             = 7
	sysLseek            = 8
	sysMmap             = 9
	sysMunmap           = 11
	sysRtSigaction      = 13
	sysRtSigprocmask    = 14
	sysRtSigreturn      = 15
	sysIoctl            = 16
	sysPread64          = 17
	sysPwrite64         = 18
	sysSelect           = 23
	sysSchedYield       = 24
	sysMadvise          = 28
	sysNanosleep        = 35
	sysGetpid           = 39
	sysClone            = 56
	sysExit             = 60
	sysKill             = 62
	sysFcntl            = 72
	sysFsync            = 74
	sysFdatasync        = 75
	sysTruncate         = 76
	sysFtruncate        = 77
	sysGetcwd           = 79
	sysSysinfo          = 99
	sysChdir            = 80
	sysFchdir           = 81
	sysFchmod           = 91
	sysChown            = 92
	sysFchown           = 93
	sysLchown           = 94
	sysUmask            = 95
	sysGetuid           = 102
	sysGetgid           = 104
	sysGeteuid          = 107
	sysGetegid          = 108
	sysGetppid          = 110
	sysGetgroups        = 115
	sysSigaltstack      = 131
	sysStatfs           = 137
	sysFstatfs          = 138
	sysPrctl            = 157
	sysArchPrctl        = 158
	sysSync             = 162
	sysReboot           = 169
	sysGettid           = 186
	sysTkill            = 200
	sysFutex            = 202
	sysSchedGetaffinity = 204
	sysGetdents64       = 217
	sysClockGettime     = 228
	sysExitGroup        = 231
	sysEpollCtl         = 233
	sysTgkill           = 234
	sysOpenat           = 257
	sysMkdirat          = 258
	sysMknodat          = 259
	sysFchownat         = 260
	sysNewfstatat       = 262
	sysUnlinkat         = 263
	sysRenameat         = 264
	sysLinkat           = 265
	sysSymlinkat        = 266
	sysReadlinkat       = 267
	sysFchmodat         = 268
	sysFaccessat        = 269
	sysPselect6         = 270
	sysPpoll            = 271
	sysUtimensat        = 280
	sysEpollPwait       = 281
	sysEventfd2         = 290
	sysEpollCreate1     = 291
	sysPipe2            = 293
	sysRenameat2        = 316
	sysGetrandom        = 318
	sysFaccessat2       = 439
	sysFchmodat2        = 452
)

const oDirectory = 0x10000 // O_DIRECTORY (asm/fcntl.h)

// stat is the kernel's struct stat for x86-64 (asm/stat.h).
type stat struct {
	dev, ino, nlink             uint64
	mode, uid, gid, _           uint32
	rdev                        uint64
	size, blockSize, blocks     int64
	accessed, modified, changed timespec
	_                           [3]uint64
}

// sysinfo is struct sysinfo (linux/sysinfo.h).
type sysinfo struct {
	uptime                                                       int64
	loads                                                        [3]uint64
	totalRAM, freeRAM, sharedRAM, bufferRAM, totalSwap, freeSwap uint64
	procs, _                                                     uint16
	_                                                            uint32
	totalHigh, freeHigh                                          uint64
	memUnit, _                                                   uint32
}

// epollEvent is struct epoll_event, packed: 12 bytes.
type epollEvent struct{ events, dataLow, dataHigh uint32 }
