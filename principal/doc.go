// Package principal says who is calling: a [Principal] in the context, put there
// once by the code that checked a session or an API key and read everywhere
// below it.
//
//	ctx = principal.NewContext(ctx, &principal.Principal{UserID: id, ...})
//	...
//	p, ok := principal.FromContext(ctx)
//
// [NewLogHandler] adds who is calling to every record logged with that context.
//
// # Concurrency
//
// A Principal is immutable once it is in a context: the pointer is shared by
// everything that runs with the context. Change a copy and make a new context
// instead. All functions are safe for concurrent use.
package principal
