// Package arch keeps the structure of the repository by tests: which package may
// import which, which modules are linked at all, and the habits that a compiler
// does not know. It has no code outside its tests.
//
// Each rule is a function over the module as it was read (rules_imports_test.go,
// rules_code_test.go), says why it is there, and has a fixture that trips it
// (fixtures_test.go): a rule that could never fail is not one.
//
// testdata/modules.txt lists the modules that the library's packages link. After
// a wanted change run
//
//	go test ./internal/arch -update
//
// and say in the commit why the new module is worth it.
package arch
