// Package tokentest helps to test what uses or implements package token: a
// Store in memory, peppers in memory, and TestStore, the suite that every Store
// passes.
package tokentest
