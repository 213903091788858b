// Package crypto seals values for the one place in the database they belong to, and derives keys for the rest.
package crypto
