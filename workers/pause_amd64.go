package workers

// pause tells the processor that this is a loop that waits: it saves power, and a
// hyper-thread of the same core, or the host of a virtual machine, gets more of it.
func pause()
