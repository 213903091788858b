package transitkms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/tenon-go/tenon/crypto"
)

const (
	defaultMount   = "transit"
	defaultTimeout = 5 * time.Second

	// maxAnswer bounds what is read of a response. An answer about one wrapped key has a few hundred bytes.
	maxAnswer = 64 << 10
)

// Config of a [KMS].
type Config struct {
	// Address is the base URL of the server, as in VAULT_ADDR. Required; https, except for a loopback address.
	Address string
	// Key is the name of the transit key. Required.
	Key string
	// Mount is the path of the transit engine. Defaults to "transit".
	Mount string
	// Namespace is sent as X-Vault-Namespace. Defaults to none.
	Namespace string
	// Token returns the token of a request, for example from the file that an agent renews. Required.
	Token func(ctx context.Context) (string, error)
	// Timeout bounds one request. Defaults to 5 seconds.
	Timeout time.Duration
	// Transport carries the requests, for a private certificate authority. Defaults to http.DefaultTransport.
	Transport http.RoundTripper
	// InsecureHTTP allows http to an address that is not loopback. The token and the data keys then travel in clear.
	InsecureHTTP bool
}

// body is what encrypt, decrypt and rewrap take.
type body struct {
	Plaintext  string `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
	Context    string `json:"context"`
}

// data is what the routes answer, as far as it is used.
type data struct {
	Plaintext     string `json:"plaintext"`
	Ciphertext    string `json:"ciphertext"`
	LatestVersion int    `json:"latest_version"`
	Derived       bool   `json:"derived"`
}

type client = http.Client

// newClient does not follow redirects: net/http would send the token along.
func newClient(cfg Config) *client {
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{Transport: cfg.Transport, CheckRedirect: stay}
}

func (k *KMS) get(ctx context.Context, op string) (data, error) {
	return k.do(ctx, http.MethodGet, op, nil)
}

func (k *KMS) post(ctx context.Context, op string, request body) (data, error) {
	encoded, err := json.Marshal(request)
	if err != nil {
		return data{}, fmt.Errorf("transitkms: %s: %w", op, err)
	}
	defer clear(encoded)
	return k.do(ctx, http.MethodPost, op, encoded)
}

func (k *KMS) do(ctx context.Context, method, op string, encoded []byte) (data, error) {
	limited, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	request, err := k.request(limited, method, op, encoded)
	if err != nil {
		return data{}, err
	}
	response, err := k.http.Do(request)
	if err != nil {
		return data{}, down(ctx, op, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	defer clear(text)
	if err != nil {
		return data{}, down(ctx, op, err)
	}
	if err := judge(op, response.StatusCode); err != nil {
		return data{}, err
	}
	var answer struct {
		Data data `json:"data"`
	}
	if len(text) > maxAnswer || json.Unmarshal(text, &answer) != nil {
		return data{}, refused(op, "an answer that is not the API's")
	}
	return answer.Data, nil
}

func (k *KMS) request(ctx context.Context, method, op string, encoded []byte) (*http.Request, error) {
	token, err := k.cfg.Token(ctx)
	if err != nil {
		return nil, down(ctx, "token", err)
	}
	target := k.base.JoinPath("v1", k.cfg.Mount, op, k.cfg.Key)
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(encoded))
	if err != nil {
		return nil, fmt.Errorf("transitkms: %s: %w", op, err)
	}
	request.Header.Set("X-Vault-Token", token)
	request.Header.Set("X-Vault-Request", "true")
	if k.cfg.Namespace != "" {
		request.Header.Set("X-Vault-Namespace", k.cfg.Namespace)
	}
	if encoded != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// judge sorts answers: 5xx covers a sealed server and one that is starting; 412, 429 and the redirects of a standby pass
// by themselves too. The texts of the server are not repeated, since they may quote the request.
func judge(op string, status int) error {
	switch {
	case status == http.StatusOK:
		return nil
	case status >= 500, status/100 == 3, status == http.StatusTooManyRequests, status == http.StatusPreconditionFailed:
		return fmt.Errorf("transitkms: %s: status %d: %w", op, status, crypto.ErrKMSUnavailable)
	}
	return fmt.Errorf("transitkms: %s: status %d: %w", op, status, crypto.ErrKMSRefused)
}

// down is an error of the way to the server, unless the caller gave up.
func down(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("transitkms: %s: %w", op, ctx.Err())
	}
	return fmt.Errorf("transitkms: %s: %w: %w", op, crypto.ErrKMSUnavailable, err)
}
