package bearer_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/bearer"
)

func request(t *testing.T, headers http.Header) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	for name, values := range headers {
		r.Header[name] = values
	}
	return r
}

func TestR16_BrowsersGetTokensOnlyAtListedOrigins(t *testing.T) {
	t.Parallel()
	p := assert.Must(bearer.New(true, []string{"https://app.example.com", "http://localhost:5173"}))(t)
	for name, c := range map[string]struct {
		headers http.Header
		want    error
	}{
		"program":         {nil, nil},
		"listed":          {http.Header{"Origin": {"https://app.example.com"}, "Sec-Fetch-Site": {"same-site"}}, nil},
		"listed, port":    {http.Header{"Origin": {"http://localhost:5173"}}, nil},
		"another":         {http.Header{"Origin": {"https://example.com"}}, bearer.ErrOrigin},
		"another scheme":  {http.Header{"Origin": {"http://app.example.com"}}, bearer.ErrOrigin},
		"longer":          {http.Header{"Origin": {"https://app.example.com.evil.example"}}, bearer.ErrOrigin},
		"with a path":     {http.Header{"Origin": {"https://app.example.com/"}}, bearer.ErrOrigin},
		"null":            {http.Header{"Origin": {"null"}}, bearer.ErrOrigin},
		"empty":           {http.Header{"Origin": {""}}, bearer.ErrOrigin},
		"two":             {http.Header{"Origin": {"https://app.example.com", "https://app.example.com"}}, bearer.ErrOrigin},
		"no origin":       {http.Header{"Sec-Fetch-Site": {"same-origin"}}, bearer.ErrOrigin},
		"no origin, none": {http.Header{"Sec-Fetch-Site": {"none"}}, bearer.ErrOrigin},
		"empty site":      {http.Header{"Sec-Fetch-Site": {""}}, bearer.ErrOrigin},
	} {
		r := request(t, c.headers)
		assert.Equal(t, p.Check(r), c.want)
		wants, err := p.Wants(r)
		assert.False(t, wants, name)
		assert.NoError(t, err)
		r.Header.Set(bearer.Header, "Bearer")
		wants, err = p.Wants(r)
		assert.True(t, wants, name)
		assert.Equal(t, err, c.want)
	}
}

func TestR16_TheModeIsSaidOnceAndInOneOfTwoWords(t *testing.T) {
	t.Parallel()
	on, off := assert.Must(bearer.New(true, nil))(t), bearer.Policy{}
	for _, c := range []struct {
		values  []string
		wants   bool
		on, off error
	}{
		{nil, false, nil, nil},
		{[]string{"cookie"}, false, nil, nil},
		{[]string{"BEARER"}, true, nil, bearer.ErrUnavailable},
		{[]string{""}, false, bearer.ErrMode, bearer.ErrMode},
		{[]string{"both"}, false, bearer.ErrMode, bearer.ErrMode},
		{[]string{"cookie", "bearer"}, false, bearer.ErrMode, bearer.ErrMode},
	} {
		r := request(t, http.Header{bearer.Header: c.values})
		wants, err := on.Wants(r)
		assert.Equal(t, wants, c.wants)
		assert.Equal(t, err, c.on)
		_, err = off.Wants(r)
		assert.Equal(t, err, c.off)
	}
}

func TestNewRefusesWhatNoBrowserSends(t *testing.T) {
	t.Parallel()
	for _, origin := range []string{"", "*", "app.example.com", "https://App.example.com", "https://app.example.com/", "https://u@app.example.com", "myapp://x", "null"} {
		if _, err := bearer.New(true, []string{origin}); err == nil {
			t.Errorf("%q was accepted", origin)
		}
	}
	_, err := bearer.New(false, []string{"https://app.example.com"})
	assert.Error(t, err)
}
