package oauthbun_test

import (
	"testing"

	"github.com/tenon-go/tenon/auth/oauth/oauthbun"
	"github.com/tenon-go/tenon/bundb/bundbtest"
)

func TestSchema(t *testing.T) {
	t.Parallel()
	bundbtest.TestSchema(t, oauthbun.Schema())
}
