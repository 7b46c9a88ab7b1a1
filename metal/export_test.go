//go:build linux && amd64

package metal

// ConsoleAttribute is what the tests that look at a machine's screen compare with.
var ConsoleAttribute = consoleAttribute
