// Package outbound makes the calls that leave this process to addresses which somebody else chose: those of identity
// providers and of webhook endpoints. It keeps them from reaching what only this machine can reach (server-side request
// forgery), from waiting for ever and from filling the memory.
//
//	client, err := outbound.New(outbound.Config{})
//	answer, err := client.Fetch(request, 64<<10) // status, header and the whole body, or an error
//	context.WithValue(ctx, oauth2.HTTPClient, client.HTTP()) // for libraries
//
// # The guard
//
// An address is judged when the socket is about to connect to it, after every name was resolved, redirect followed and
// fall-back tried. There is no second resolution between the judgement and the connection, so a name that answers with a
// public address first and with 127.0.0.1 later gains nothing. [Public] says which addresses pass: unicast addresses that
// are in none of IANA's special-purpose registries (RFC 6890), nor multicast. Config.Allow adds networks.
//
// With a proxy the connection goes to the proxy, whose duty it then is to judge; addresses written out in the URL are
// still judged here.
//
// # Limits
//
// Every call has a time for all of it, body included, and times for its parts. A body that is longer than allowed is an
// error, never a shorter body. TLS is 1.2 or later, redirects are refused unless Config.Redirects allows some on the
// same host, the environment chooses no proxy, and no cookies are kept.
//
// A Client is safe for concurrent use and starts no goroutine of its own; net/http keeps idle connections for half a
// minute. Errors name the method and the host, never the path, the query or what was sent.
package outbound
