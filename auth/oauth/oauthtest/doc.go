// Package oauthtest has a store of package oauth in memory, the suite that every store
// has to pass, and an OpenID provider for tests, which can be told to lie.
package oauthtest
