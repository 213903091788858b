// Package jwttest helps to test what uses or implements package jwt: a Store in
// memory, a Service over it, and TestStore, the suite that every Store passes.
package jwttest
