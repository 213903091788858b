package authbun_test

import (
	"testing"

	"github.com/tenon-go/tenon/auth/authtest"
	"github.com/tenon-go/tenon/bundb/bundbtest"
)

func TestFactorStore(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		authtest.TestFactorStore(t, func(t *testing.T) authtest.Env { return env(t, bundbtest.SQLite(t, schemas()...)) })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		authtest.TestFactorStore(t, func(t *testing.T) authtest.Env { return env(t, bundbtest.Postgres(t, schemas()...)) })
	})
}
