// Package metal stands in for the real one in tests of the build: its entry
// point says hello and ends the virtual machine.
package metal

var hello = [...]byte{'h', 'e', 'l', 'l', 'o', ' ', 'f', 'r', 'o', 'm', ' ', 'G', 'o', '\n', 0}

// message is an address in data: it points to hello only after relocation.
var message = &hello

func entry()
