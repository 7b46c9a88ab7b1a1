// Command plain does not import metal and cannot boot.
package main

func main() {}
