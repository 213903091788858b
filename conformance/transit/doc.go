// Package transit holds a judge of crypto/transitkms: its tests run the adapter against the transit engine of HashiCorp
// Vault itself rather than against a stand-in of ours.
//
// The engine is under the Business Source License, for tests only: this module is nobody's dependency, and only its test
// files import the engine.
package transit
