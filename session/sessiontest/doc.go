// Package sessiontest helps to test with package session: [Fake] is a Store in
// memory whose users and roles are set by the test, and [TestStore] holds any
// Store to the contract written at session.Store.
//
//	store := sessiontest.NewFake(nil)
//	store.PutUser(sessiontest.UserState{User: session.User{ID: "u1"}, SecurityVersion: 1})
//	sessions, err := session.New(store, session.Config{Peppers: cryptotest.NewKeyring(t)})
package sessiontest
