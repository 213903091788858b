//go:build unix && !linux

package main

import "syscall"

// dieWithParent does nothing: there is no such promise outside Linux.
func dieWithParent(*syscall.SysProcAttr) {}

// free says that there is no memory file system.
func free(string) uint64 { return 0 }
