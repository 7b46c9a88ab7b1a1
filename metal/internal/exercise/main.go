//go:build linux && amd64

// The program that metal's tests boot: each exercise is a command line from the UEFI
// shell, and prints `NAME: ok` if all its checks have passed; if not, it exits with status 1.
package main

import (
	"fmt"
	"os"
	"strconv"

	"bootllama/metal"
)

var exercises = map[string]func(args []string) error{
	"again":     faultAgain,
	"args":      arguments,
	"break":     breakService,
	"broken":    broken,
	"calls":     calls,
	"chatter":   chatter,
	"clock":     clockOrder,
	"cores":     coreCount,
	"count":     countCores,
	"crash":     crash,
	"crowd":     crowd,
	"deep":      deepPanics,
	"exit":      exit,
	"faults":    faults,
	"fb":        framebufferTest,
	"files":     files,
	"full":      full,
	"grow":      grow,
	"handover":  handOver,
	"hoard":     hoard,
	"holes":     holes,
	"idle":      idle,
	"keys":      keys,
	"leaks":     leaks,
	"lines":     lines,
	"loaded":    loaded,
	"loops":     loops,
	"memory":    memoryStatus,
	"names":     namespace,
	"ordinary":  ordinary,
	"panic":     panicking,
	"panics":    panics,
	"paste":     paste,
	"pingpong":  pingPong,
	"pipes":     pipes,
	"pool":      pool,
	"power":     power,
	"random":    random,
	"readonly":  readOnly,
	"readers":   readers,
	"refuse":    refuse,
	"registers": func([]string) error { trapWithRegisters(); return nil },
	"resized":   resized,
	"same":      same,
	"secret":    secret,
	"settings":  settings,
	"show":      showScreen,
	"signals":   signals,
	"sleepers":  sleepers,
	"soak":      soak,
	"stuck":     stuck,
	"speed":     speed,
	"threads":   threads,
	"strange":   strange,
	"throw":     throw,
	"time":      clocks,
	"together":  together,
	"turns":     turns,
	"vcs":       readScreen,
	"volumes":   volumes,
	"world":     world,
	"zero":      zero,
}

func main() {
	if !metal.On() && !(len(os.Args) == 2 && os.Args[1] == "calls") { // which Linux does, too
		fmt.Fprintln(os.Stderr, "exercise: runs on UEFI only")
		os.Exit(2)
	}
	if len(os.Args) == 1 && !metal.StartedByShell() { // the machine's boot
		os.Args = append(os.Args, "show")
	}
	if len(os.Args) < 2 || exercises[os.Args[1]] == nil {
		fmt.Fprintf(os.Stderr, "exercise: no such exercise: %q\n", os.Args)
		os.Exit(2)
	}
	name := os.Args[1]
	if err := exercises[name](os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	fmt.Printf("%s: ok\n", name)
}

func arguments(args []string) error {
	fmt.Printf("%q\n", args)
	return nil
}

// number reads the n-th argument, or a default.
func number(args []string, n, otherwise int) int {
	if n < len(args) {
		if v, err := strconv.Atoi(args[n]); err == nil {
			return v
		}
	}
	return otherwise
}
