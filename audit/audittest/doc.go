// Package audittest helps to test with package audit: [Fake] is a Store in memory, and
// [TestStore] holds any Store to the contract written at audit.Store.
//
//	trail, err := audit.New(audittest.NewFake(nil), audit.Config{Keys: keyring})
package audittest
