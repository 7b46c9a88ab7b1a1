//go:build linux && amd64

package metal

const (
	stallTime = 10_000 // µs of one Stall
)

var (
	ticksPerSecond uint64 // of counter
	firstTick      uint64
	bootTime       int64 // Unix nanoseconds when firstTick was read
	firmwareDate   efiTime
	lastNanotime   int64 // the largest value that nanotime has returned
)

// initClock determines the rate of the counter: the processor's own figure if there is
// one, else by the firmware's Stall. Then it reads the date, once.
func initClock() {
	ticksPerSecond = counterRate()
	if ticksPerSecond == 0 {
		ticksPerSecond = measuredRate()
	}
	if ticksPerSecond < 1e6 || ticksPerSecond > 1e11 {
		fail("the time-stamp counter does not count", efiUnsupported)
	}
	firstTick = counter()
	runtime := at[efiRuntimeServices](systemTable().runtimeServices)
	if status := firmware(runtime.getTime, address(&firmwareDate), 0); status != efiSuccess {
		warn("GetTime: the date is unknown", status)
		return
	}
	bootTime = unixTime(&firmwareDate) * 1e9
}

// measuredRate measures the rate of the counter. The shortest of several stalls counts, as
// every disturbance makes a stall longer.
func measuredRate() uint64 {
	best := ^uint64(0)
	for range 5 {
		t := counter()
		firmware(bootServices().stall, stallTime)
		best = min(best, counter()-t)
	}
	return best * (1e6 / stallTime)
}

// unixTime converts a date of the firmware to Unix seconds; one without a time zone counts
// as UTC.
func unixTime(t *efiTime) int64 {
	// Days from 1970-01-01, counting years from March so that the leap day is last.
	year, month := int64(t.year), int64(t.month)
	if month <= 2 {
		year, month = year-1, month+12
	}
	days := year*365 + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + int64(t.day) - 1 - 719468
	seconds := days*86400 + int64(t.hour)*3600 + int64(t.minute)*60 + int64(t.second)
	if t.timeZone != efiUnspecifiedTimeZone {
		seconds += int64(t.timeZone) * 60 // UTC = local time + TimeZone
	}
	return seconds
}

// efiDate is the inverse of unixTime, in UTC, for the years that FAT has; but EDK2's driver
// takes 1980 for no year, and keeps the one that the file has.
func efiDate(seconds int64) efiTime {
	const first, last = 347155200, 4354819199 // 1981-01-01, 2107-12-31 23:59:59
	seconds = min(max(seconds, first), last)
	days, second := seconds/86400+719468, seconds%86400
	// Years from March on, as in unixTime, in eras of 400.
	era, day := days/146097, days%146097
	year := (day - day/1460 + day/36524 - day/146096) / 365
	day -= 365*year + year/4 - year/100
	month := (5*day + 2) / 153
	day -= (153*month + 2) / 5
	if month += 3; month > 12 {
		year, month = year+1, month-12
	}
	return efiTime{
		year: uint16(era*400 + year), month: byte(month), day: byte(day + 1),
		hour: byte(second / 3600), minute: byte(second / 60 % 60), second: byte(second % 60),
		timeZone: efiUnspecifiedTimeZone,
	}
}

// clampDate makes a valid date of what a directory has, which may be anything: month 0, day 0
// where a file has no date, and seconds up to 62.
func clampDate(t *efiTime) {
	t.year = min(max(t.year, 1980), 2107)
	t.month = min(max(t.month, 1), 12)
	days := byte(31)
	switch t.month {
	case 4, 6, 9, 11:
		days = 30
	case 2:
		days = 28
		if t.year%4 == 0 && t.year != 2100 {
			days = 29
		}
	}
	t.day = min(max(t.day, 1), days)
	t.hour, t.minute = min(t.hour, 23), min(t.minute, 59)
	if t.second > 59 {
		t.second = 58 // FAT has even ones only
	}
	t.nanosecond = min(t.nanosecond, 999_999_999)
}

// nanotime is the monotonic clock, in nanoseconds since the start. The counters of all
// cores run at the same rate and show the same, unless a machine is defective. If one is
// behind, nanotime still never returns less there than it has returned elsewhere.
func nanotime() int64 { return advance(&lastNanotime, ticktime()) }

// ticktime is the clock of this core alone. The division is done in two parts to keep the
// product within 64 bits, for rates up to 18 GHz.
func ticktime() int64 {
	ticks := counter() - firstTick
	return int64(ticks/ticksPerSecond*1e9 + ticks%ticksPerSecond*1e9/ticksPerSecond)
}

func clockGettime(clock, p uintptr) uint64 {
	const realtime, realtimeCoarse, last = 0, 5, 11
	if clock > last {
		return errno(einval)
	}
	ns := nanotime()
	if clock == realtime || clock == realtimeCoarse {
		ns += bootTime
	}
	*at[timespec](p) = timespec{ns / 1e9, ns % 1e9}
	return 0
}
