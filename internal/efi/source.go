//go:build !release

package efi

// application is empty: Build makes the EFI application from source.
const application = ""
