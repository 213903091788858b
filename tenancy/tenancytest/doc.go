// Package tenancytest helps to test with package tenancy: [Fake] is a Store in
// memory, and [TestStore] holds any Store to the contract written at
// tenancy.Store.
//
//	organizations, err := tenancy.New(tenancytest.NewFake(nil), tenancy.Config{Users: users})
package tenancytest
