// Command efi is the smallest program that boots: all it does is in metal.
package main

import _ "bootllama/metal"

func main() {}
