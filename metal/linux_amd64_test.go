//go:build linux && amd64

package metal

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"
	"unsafe"

	linux "syscall"

	"golang.org/x/sys/unix"
)

// TestLinuxNumbers compares every number of a system call, a flag, an error and a signal
// with package syscall's, or x/sys/unix's if the system call is newer than that package.
func TestLinuxNumbers(t *testing.T) {
	numbers := map[string]struct{ got, want uint64 }{
		"maxPath":             {maxPath, unix.PathMax},
		"maxName":             {maxName, 255},           // NAME_MAX of linux/limits.h
		"maxSignal":           {maxSignal, 64},          // _NSIG
		"maxFileSize":         {maxFileSize, 1<<32 - 1}, // FAT's
		"sysRead":             {sysRead, linux.SYS_READ},
		"sysWrite":            {sysWrite, linux.SYS_WRITE},
		"sysPoll":             {sysPoll, linux.SYS_POLL},
		"sysSelect":           {sysSelect, linux.SYS_SELECT},
		"sysPselect6":         {sysPselect6, linux.SYS_PSELECT6},
		"sysPpoll":            {sysPpoll, linux.SYS_PPOLL},
		"sysPipe2":            {sysPipe2, linux.SYS_PIPE2},
		"sysReboot":           {sysReboot, linux.SYS_REBOOT},
		"sysClose":            {sysClose, linux.SYS_CLOSE},
		"sysFstat":            {sysFstat, linux.SYS_FSTAT},
		"sysLseek":            {sysLseek, linux.SYS_LSEEK},
		"sysMmap":             {sysMmap, linux.SYS_MMAP},
		"sysMunmap":           {sysMunmap, linux.SYS_MUNMAP},
		"sysRtSigaction":      {sysRtSigaction, linux.SYS_RT_SIGACTION},
		"sysRtSigprocmask":    {sysRtSigprocmask, linux.SYS_RT_SIGPROCMASK},
		"sysRtSigreturn":      {sysRtSigreturn, linux.SYS_RT_SIGRETURN},
		"sysIoctl":            {sysIoctl, linux.SYS_IOCTL},
		"sysPread64":          {sysPread64, linux.SYS_PREAD64},
		"sysPwrite64":         {sysPwrite64, linux.SYS_PWRITE64},
		"sysSchedYield":       {sysSchedYield, linux.SYS_SCHED_YIELD},
		"sysMadvise":          {sysMadvise, linux.SYS_MADVISE},
		"sysNanosleep":        {sysNanosleep, linux.SYS_NANOSLEEP},
		"sysGetpid":           {sysGetpid, linux.SYS_GETPID},
		"sysClone":            {sysClone, linux.SYS_CLONE},
		"sysExit":             {sysExit, linux.SYS_EXIT},
		"sysKill":             {sysKill, linux.SYS_KILL},
		"sysFcntl":            {sysFcntl, linux.SYS_FCNTL},
		"sysFsync":            {sysFsync, linux.SYS_FSYNC},
		"sysFtruncate":        {sysFtruncate, linux.SYS_FTRUNCATE},
		"sysGetcwd":           {sysGetcwd, linux.SYS_GETCWD},
		"sysSysinfo":          {sysSysinfo, linux.SYS_SYSINFO},
		"sysGetuid":           {sysGetuid, linux.SYS_GETUID},
		"sysGetgid":           {sysGetgid, linux.SYS_GETGID},
		"sysGeteuid":          {sysGeteuid, linux.SYS_GETEUID},
		"sysGetegid":          {sysGetegid, linux.SYS_GETEGID},
		"sysGetppid":          {sysGetppid, linux.SYS_GETPPID},
		"sysSigaltstack":      {sysSigaltstack, linux.SYS_SIGALTSTACK},
		"sysPrctl":            {sysPrctl, linux.SYS_PRCTL},
		"sysArchPrctl":        {sysArchPrctl, linux.SYS_ARCH_PRCTL},
		"sysGettid":           {sysGettid, linux.SYS_GETTID},
		"sysTkill":            {sysTkill, linux.SYS_TKILL},
		"sysFutex":            {sysFutex, linux.SYS_FUTEX},
		"sysSchedGetaffinity": {sysSchedGetaffinity, linux.SYS_SCHED_GETAFFINITY},
		"sysGetdents64":       {sysGetdents64, linux.SYS_GETDENTS64},
		"sysClockGettime":     {sysClockGettime, linux.SYS_CLOCK_GETTIME},
		"sysExitGroup":        {sysExitGroup, linux.SYS_EXIT_GROUP},
		"sysEpollCtl":         {sysEpollCtl, linux.SYS_EPOLL_CTL},
		"sysTgkill":           {sysTgkill, linux.SYS_TGKILL},
		"sysOpenat":           {sysOpenat, linux.SYS_OPENAT},
		"sysMkdirat":          {sysMkdirat, linux.SYS_MKDIRAT},
		"sysNewfstatat":       {sysNewfstatat, linux.SYS_NEWFSTATAT},
		"sysUnlinkat":         {sysUnlinkat, linux.SYS_UNLINKAT},
		"sysRenameat":         {sysRenameat, linux.SYS_RENAMEAT},
		"sysEpollPwait":       {sysEpollPwait, linux.SYS_EPOLL_PWAIT},
		"sysEventfd2":         {sysEventfd2, linux.SYS_EVENTFD2},
		"sysEpollCreate1":     {sysEpollCreate1, linux.SYS_EPOLL_CREATE1},
		"sysRenameat2":        {sysRenameat2, unix.SYS_RENAMEAT2},
		"sysGetrandom":        {sysGetrandom, unix.SYS_GETRANDOM},

		"sysFdatasync":  {sysFdatasync, linux.SYS_FDATASYNC},
		"sysTruncate":   {sysTruncate, linux.SYS_TRUNCATE},
		"sysChdir":      {sysChdir, linux.SYS_CHDIR},
		"sysFchdir":     {sysFchdir, linux.SYS_FCHDIR},
		"sysFchmod":     {sysFchmod, linux.SYS_FCHMOD},
		"sysChown":      {sysChown, linux.SYS_CHOWN},
		"sysFchown":     {sysFchown, linux.SYS_FCHOWN},
		"sysLchown":     {sysLchown, linux.SYS_LCHOWN},
		"sysUmask":      {sysUmask, linux.SYS_UMASK},
		"sysStatfs":     {sysStatfs, linux.SYS_STATFS},
		"sysFstatfs":    {sysFstatfs, linux.SYS_FSTATFS},
		"sysSync":       {sysSync, linux.SYS_SYNC},
		"sysMknodat":    {sysMknodat, linux.SYS_MKNODAT},
		"sysGetgroups":  {sysGetgroups, linux.SYS_GETGROUPS},
		"sysFchownat":   {sysFchownat, linux.SYS_FCHOWNAT},
		"sysLinkat":     {sysLinkat, linux.SYS_LINKAT},
		"sysSymlinkat":  {sysSymlinkat, linux.SYS_SYMLINKAT},
		"sysReadlinkat": {sysReadlinkat, linux.SYS_READLINKAT},
		"sysFchmodat":   {sysFchmodat, linux.SYS_FCHMODAT},
		"sysFaccessat":  {sysFaccessat, linux.SYS_FACCESSAT},
		"sysUtimensat":  {sysUtimensat, linux.SYS_UTIMENSAT},
		"sysFaccessat2": {sysFaccessat2, unix.SYS_FACCESSAT2},
		"sysFchmodat2":  {sysFchmodat2, unix.SYS_FCHMODAT2},

		"atFDCWD": {uint64(atFDCWD), 1<<64 - 100}, "atSymlinkNoFollow": {atSymlinkNoFollow, unix.AT_SYMLINK_NOFOLLOW}, "atNoAutomount": {atNoAutomount, unix.AT_NO_AUTOMOUNT}, "atEmptyPath": {atEmptyPath, unix.AT_EMPTY_PATH},
		"removeDirectory": {removeDirectory, unix.AT_REMOVEDIR}, "modeDirectory": {modeDirectory, linux.S_IFDIR}, "modeRegular": {modeRegular, linux.S_IFREG}, "modeCharacter": {modeCharacter, linux.S_IFCHR}, "modeFIFO": {modeFIFO, linux.S_IFIFO},
		"oAccess": {oAccess, linux.O_ACCMODE}, "oCreate": {oCreate, linux.O_CREAT}, "oExclusive": {oExclusive, linux.O_EXCL},
		"oTruncate": {oTruncate, linux.O_TRUNC}, "oAppend": {oAppend, linux.O_APPEND}, "oDataSync": {oDataSync, linux.O_DSYNC}, "oNonblock": {oNonblock, linux.O_NONBLOCK}, "oDirectory": {oDirectory, linux.O_DIRECTORY},

		"eperm":        {eperm, uint64(linux.EPERM)},
		"enoent":       {enoent, uint64(linux.ENOENT)},
		"esrch":        {esrch, uint64(linux.ESRCH)},
		"eintr":        {eintr, uint64(linux.EINTR)},
		"eio":          {eio, uint64(linux.EIO)},
		"enxio":        {enxio, uint64(linux.ENXIO)},
		"ebadf":        {ebadf, uint64(linux.EBADF)},
		"eagain":       {eagain, uint64(linux.EAGAIN)},
		"enomem":       {enomem, uint64(linux.ENOMEM)},
		"eacces":       {eacces, uint64(linux.EACCES)},
		"efault":       {efault, uint64(linux.EFAULT)},
		"ebusy":        {ebusy, uint64(linux.EBUSY)},
		"efbig":        {efbig, uint64(linux.EFBIG)},
		"eexist":       {eexist, uint64(linux.EEXIST)},
		"exdev":        {exdev, uint64(linux.EXDEV)},
		"enodev":       {enodev, uint64(linux.ENODEV)},
		"enotdir":      {enotdir, uint64(linux.ENOTDIR)},
		"eisdir":       {eisdir, uint64(linux.EISDIR)},
		"einval":       {einval, uint64(linux.EINVAL)},
		"emfile":       {emfile, uint64(linux.EMFILE)},
		"enotty":       {enotty, uint64(linux.ENOTTY)},
		"enospc":       {enospc, uint64(linux.ENOSPC)},
		"espipe":       {espipe, uint64(linux.ESPIPE)},
		"epipe":        {epipe, uint64(linux.EPIPE)},
		"erofs":        {erofs, uint64(linux.EROFS)},
		"erange":       {erange, uint64(linux.ERANGE)},
		"enametoolong": {enametoolong, uint64(linux.ENAMETOOLONG)},
		"enosys":       {enosys, uint64(linux.ENOSYS)},
		"enotempty":    {enotempty, uint64(linux.ENOTEMPTY)},
		"etimedout":    {etimedout, uint64(linux.ETIMEDOUT)},

		"sigINT":   {sigINT, uint64(linux.SIGINT)},
		"sigQUIT":  {sigQUIT, uint64(linux.SIGQUIT)},
		"sigILL":   {sigILL, uint64(linux.SIGILL)},
		"sigTRAP":  {sigTRAP, uint64(linux.SIGTRAP)},
		"sigABRT":  {sigABRT, uint64(linux.SIGABRT)},
		"sigBUS":   {sigBUS, uint64(linux.SIGBUS)},
		"sigFPE":   {sigFPE, uint64(linux.SIGFPE)},
		"sigSEGV":  {sigSEGV, uint64(linux.SIGSEGV)},
		"sigURG":   {sigURG, uint64(linux.SIGURG)},
		"sigCHLD":  {sigCHLD, uint64(linux.SIGCHLD)},
		"sigCONT":  {sigCONT, uint64(linux.SIGCONT)},
		"sigWINCH": {sigWINCH, uint64(linux.SIGWINCH)},
	}
	for name, n := range numbers {
		if n.got != n.want {
			t.Errorf("%s is %d, Linux has %d", name, n.got, n.want)
		}
	}
	for file, prefix := range map[string]string{"linux_amd64.go": "sys", "file.go": "o", "syscall.go": "e", "signal.go": "sig"} {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, d := range f.Decls {
			block, ok := d.(*ast.GenDecl)
			if !ok || block.Tok != token.CONST {
				continue
			}
			for _, s := range block.Specs {
				name := s.(*ast.ValueSpec).Names[0].Name
				if !strings.HasPrefix(name, prefix) {
					continue
				}
				n++
				if _, ok := numbers[name]; !ok {
					t.Errorf("%s: %s is compared with nothing", file, name)
				}
			}
		}
		if n < 5 {
			t.Errorf("%s has %d numbers %s...: the test does not find them", file, n, prefix)
		}
	}
}

// TestTerminalNumbers compares the numbers of termios, of poll and epoll, and of reboot(2).
func TestTerminalNumbers(t *testing.T) {
	for name, n := range map[string]struct{ got, want uint64 }{
		"INLCR": {inputINLCR, unix.INLCR}, "IGNCR": {inputIGNCR, unix.IGNCR}, "ICRNL": {inputICRNL, unix.ICRNL}, "IXON": {inputIXON, unix.IXON},
		"IUTF8": {inputIUTF8, unix.IUTF8}, "ISTRIP": {inputISTRIP, unix.ISTRIP},
		"OPOST": {outputOPOST, unix.OPOST}, "ONLCR": {outputONLCR, unix.ONLCR},
		"ISIG": {localISIG, unix.ISIG}, "ICANON": {localICANON, unix.ICANON}, "ECHO": {localECHO, unix.ECHO}, "ECHOE": {localECHOE, unix.ECHOE},
		"ECHOK": {localECHOK, unix.ECHOK}, "ECHONL": {localECHONL, unix.ECHONL}, "NOFLSH": {localNOFLSH, unix.NOFLSH},
		"ECHOCTL": {localECHOCTL, unix.ECHOCTL}, "ECHOKE": {localECHOKE, unix.ECHOKE}, "IEXTEN": {localIEXTEN, unix.IEXTEN},
		"c_cflag": {controlB38400CS8CREAD, unix.B38400 | unix.CS8 | unix.CREAD},
		"VINTR":   {charVINTR, unix.VINTR}, "VQUIT": {charVQUIT, unix.VQUIT}, "VERASE": {charVERASE, unix.VERASE}, "VKILL": {charVKILL, unix.VKILL},
		"VEOF": {charVEOF, unix.VEOF}, "VTIME": {charVTIME, unix.VTIME}, "VMIN": {charVMIN, unix.VMIN}, "VSUSP": {charVSUSP, unix.VSUSP},
		"VEOL": {charVEOL, unix.VEOL}, "VREPRINT": {charVREPRINT, unix.VREPRINT}, "VWERASE": {charVWERASE, unix.VWERASE},
		"VLNEXT": {charVLNEXT, unix.VLNEXT}, "VEOL2": {charVEOL2, unix.VEOL2},
		"TCGETS": {requestTCGETS, unix.TCGETS}, "TCSETS": {requestTCSETS, unix.TCSETS}, "TCSETSW": {requestTCSETSW, unix.TCSETSW},
		"TCSETSF": {requestTCSETSF, unix.TCSETSF}, "TCSBRK": {requestTCSBRK, unix.TCSBRK}, "TCXONC": {requestTCXONC, unix.TCXONC},
		"TCFLSH": {requestTCFLSH, unix.TCFLSH}, "TIOCSCTTY": {requestTIOCSCTTY, unix.TIOCSCTTY}, "TIOCGPGRP": {requestTIOCGPGRP, unix.TIOCGPGRP},
		"TIOCSPGRP": {requestTIOCSPGRP, unix.TIOCSPGRP}, "TIOCOUTQ": {requestTIOCOUTQ, unix.TIOCOUTQ}, "TIOCINQ": {requestFIONREAD, unix.TIOCINQ},
		"TIOCGSID": {requestTIOCGSID, unix.TIOCGSID},
		"EPOLLIN":  {epollIn, unix.EPOLLIN}, "EPOLLOUT": {epollOut, unix.EPOLLOUT}, "EPOLLERR": {epollErr, unix.EPOLLERR}, "EPOLLHUP": {epollHup, unix.EPOLLHUP},
		"EPOLLONESHOT": {epollOneShot, unix.EPOLLONESHOT}, "EPOLLET": {epollEdge, unix.EPOLLET}, "POLLNVAL": {pollInvalid, unix.POLLNVAL},
		"EPOLL_CTL_ADD": {epollAdd, unix.EPOLL_CTL_ADD}, "EPOLL_CTL_DEL": {epollDelete, unix.EPOLL_CTL_DEL}, "EPOLL_CTL_MOD": {epollModify, unix.EPOLL_CTL_MOD},
		"POLLIN": {epollIn, unix.POLLIN}, "POLLOUT": {epollOut, unix.POLLOUT}, "POLLERR": {epollErr, unix.POLLERR}, "POLLHUP": {epollHup, unix.POLLHUP},
		"MAGIC1": {rebootMagic1, unix.LINUX_REBOOT_MAGIC1}, "MAGIC2": {rebootMagic2, unix.LINUX_REBOOT_MAGIC2},
		"MAGIC2A": {rebootMagic2A, 0x05121996}, "MAGIC2B": {rebootMagic2B, 0x16041998}, "MAGIC2C": {rebootMagic2C, 0x20112000},
		"RESTART": {rebootRestart, unix.LINUX_REBOOT_CMD_RESTART}, "HALT": {rebootHalt, unix.LINUX_REBOOT_CMD_HALT}, "POWER_OFF": {rebootPowerOff, unix.LINUX_REBOOT_CMD_POWER_OFF},
		"CAD_OFF": {rebootCADOff, unix.LINUX_REBOOT_CMD_CAD_OFF}, "CAD_ON": {rebootCADOn, unix.LINUX_REBOOT_CMD_CAD_ON},
		"SA_RESTART":   {saRestart, 0x10000000},
		"termios.c_cc": {uint64(unsafe.Offsetof(settings.chars)), uint64(unsafe.Offsetof(unix.Termios{}.Cc))},
		"c_cc":         {uint64(len(settings.chars)), uint64(len(unix.Termios{}.Cc))},
		"termios":      {uint64(unsafe.Sizeof(settings)), 36}, // the kernel's; the C library's has speeds behind it
		"pollfd":       {uint64(unsafe.Sizeof(pollfd{})), uint64(unsafe.Sizeof(unix.PollFd{}))},
		"kbentry":      {uint64(unsafe.Sizeof(keyEntry{})), 4},
		"kbdiacruc":    {uint64(unsafe.Sizeof(composedKey{})), 12},
	} {
		if n.got != n.want {
			t.Errorf("%s is %#x, Linux has %#x", name, n.got, n.want)
		}
	}
}

// TestLinuxStructs compares the structs that the program and the kernel share with package
// syscall's: size, and offset and size of each field.
func TestLinuxStructs(t *testing.T) {
	type field struct{ offset, size uintptr }
	var (
		st     stat
		lst    linux.Stat_t
		event  epollEvent
		levent linux.EpollEvent
		time   timespec
		ltime  linux.Timespec
		info   sysinfo
		linfo  linux.Sysinfo_t
		fs     statfs
		lfs    linux.Statfs_t
	)
	for name, f := range map[string]struct{ got, want field }{
		"stat":                   {field{0, unsafe.Sizeof(st)}, field{0, unsafe.Sizeof(lst)}},
		"stat.st_dev":            {field{unsafe.Offsetof(st.dev), unsafe.Sizeof(st.dev)}, field{unsafe.Offsetof(lst.Dev), unsafe.Sizeof(lst.Dev)}},
		"stat.st_ino":            {field{unsafe.Offsetof(st.ino), unsafe.Sizeof(st.ino)}, field{unsafe.Offsetof(lst.Ino), unsafe.Sizeof(lst.Ino)}},
		"stat.st_nlink":          {field{unsafe.Offsetof(st.nlink), unsafe.Sizeof(st.nlink)}, field{unsafe.Offsetof(lst.Nlink), unsafe.Sizeof(lst.Nlink)}},
		"stat.st_mode":           {field{unsafe.Offsetof(st.mode), unsafe.Sizeof(st.mode)}, field{unsafe.Offsetof(lst.Mode), unsafe.Sizeof(lst.Mode)}},
		"stat.st_uid":            {field{unsafe.Offsetof(st.uid), unsafe.Sizeof(st.uid)}, field{unsafe.Offsetof(lst.Uid), unsafe.Sizeof(lst.Uid)}},
		"stat.st_gid":            {field{unsafe.Offsetof(st.gid), unsafe.Sizeof(st.gid)}, field{unsafe.Offsetof(lst.Gid), unsafe.Sizeof(lst.Gid)}},
		"stat.st_rdev":           {field{unsafe.Offsetof(st.rdev), unsafe.Sizeof(st.rdev)}, field{unsafe.Offsetof(lst.Rdev), unsafe.Sizeof(lst.Rdev)}},
		"stat.st_size":           {field{unsafe.Offsetof(st.size), unsafe.Sizeof(st.size)}, field{unsafe.Offsetof(lst.Size), unsafe.Sizeof(lst.Size)}},
		"stat.st_blksize":        {field{unsafe.Offsetof(st.blockSize), unsafe.Sizeof(st.blockSize)}, field{unsafe.Offsetof(lst.Blksize), unsafe.Sizeof(lst.Blksize)}},
		"stat.st_blocks":         {field{unsafe.Offsetof(st.blocks), unsafe.Sizeof(st.blocks)}, field{unsafe.Offsetof(lst.Blocks), unsafe.Sizeof(lst.Blocks)}},
		"stat.st_atim":           {field{unsafe.Offsetof(st.accessed), unsafe.Sizeof(st.accessed)}, field{unsafe.Offsetof(lst.Atim), unsafe.Sizeof(lst.Atim)}},
		"stat.st_mtim":           {field{unsafe.Offsetof(st.modified), unsafe.Sizeof(st.modified)}, field{unsafe.Offsetof(lst.Mtim), unsafe.Sizeof(lst.Mtim)}},
		"stat.st_ctim":           {field{unsafe.Offsetof(st.changed), unsafe.Sizeof(st.changed)}, field{unsafe.Offsetof(lst.Ctim), unsafe.Sizeof(lst.Ctim)}},
		"epoll_event":            {field{0, unsafe.Sizeof(event)}, field{0, unsafe.Sizeof(levent)}},
		"epoll_event.events":     {field{unsafe.Offsetof(event.events), unsafe.Sizeof(event.events)}, field{unsafe.Offsetof(levent.Events), unsafe.Sizeof(levent.Events)}},
		"epoll_event.data":       {field{unsafe.Offsetof(event.dataLow), unsafe.Sizeof(event.dataLow)}, field{unsafe.Offsetof(levent.Fd), unsafe.Sizeof(levent.Fd)}},
		"epoll_event.data, high": {field{unsafe.Offsetof(event.dataHigh), unsafe.Sizeof(event.dataHigh)}, field{unsafe.Offsetof(levent.Pad), unsafe.Sizeof(levent.Pad)}},
		"sysinfo":                {field{0, unsafe.Sizeof(info)}, field{0, unsafe.Sizeof(linfo)}},
		"sysinfo.uptime":         {field{unsafe.Offsetof(info.uptime), unsafe.Sizeof(info.uptime)}, field{unsafe.Offsetof(linfo.Uptime), unsafe.Sizeof(linfo.Uptime)}},
		"sysinfo.totalram":       {field{unsafe.Offsetof(info.totalRAM), unsafe.Sizeof(info.totalRAM)}, field{unsafe.Offsetof(linfo.Totalram), unsafe.Sizeof(linfo.Totalram)}},
		"sysinfo.freeram":        {field{unsafe.Offsetof(info.freeRAM), unsafe.Sizeof(info.freeRAM)}, field{unsafe.Offsetof(linfo.Freeram), unsafe.Sizeof(linfo.Freeram)}},
		"sysinfo.procs":          {field{unsafe.Offsetof(info.procs), unsafe.Sizeof(info.procs)}, field{unsafe.Offsetof(linfo.Procs), unsafe.Sizeof(linfo.Procs)}},
		"sysinfo.mem_unit":       {field{unsafe.Offsetof(info.memUnit), unsafe.Sizeof(info.memUnit)}, field{unsafe.Offsetof(linfo.Unit), unsafe.Sizeof(linfo.Unit)}},
		"statfs":                 {field{0, unsafe.Sizeof(fs)}, field{0, unsafe.Sizeof(lfs)}},
		"statfs.f_bavail":        {field{unsafe.Offsetof(fs.available), unsafe.Sizeof(fs.available)}, field{unsafe.Offsetof(lfs.Bavail), unsafe.Sizeof(lfs.Bavail)}},
		"statfs.f_namelen":       {field{unsafe.Offsetof(fs.nameLength), unsafe.Sizeof(fs.nameLength)}, field{unsafe.Offsetof(lfs.Namelen), unsafe.Sizeof(lfs.Namelen)}},
		"statfs.f_flags":         {field{unsafe.Offsetof(fs.flags), unsafe.Sizeof(fs.flags)}, field{unsafe.Offsetof(lfs.Flags), unsafe.Sizeof(lfs.Flags)}},
		"timespec":               {field{0, unsafe.Sizeof(time)}, field{0, unsafe.Sizeof(ltime)}},
		"timespec.tv_sec":        {field{unsafe.Offsetof(time.sec), unsafe.Sizeof(time.sec)}, field{unsafe.Offsetof(ltime.Sec), unsafe.Sizeof(ltime.Sec)}},
		"timespec.tv_nsec":       {field{unsafe.Offsetof(time.nsec), unsafe.Sizeof(time.nsec)}, field{unsafe.Offsetof(ltime.Nsec), unsafe.Sizeof(ltime.Nsec)}},
	} {
		if f.got != f.want {
			t.Errorf("%s: offset and size %d, Linux has %d", name, f.got, f.want)
		}
	}
}
