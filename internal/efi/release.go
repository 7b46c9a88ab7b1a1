//go:build release

package efi

import _ "embed"

// application is this project's EFI application, which make release builds first and puts in this file's place beside
// (go build -overlay): the source tree has no such file.
//
//go:embed BOOTX64.EFI
var application string
