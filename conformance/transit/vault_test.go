package transit

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	engine "github.com/hashicorp/vault/builtin/logical/transit"
	"github.com/hashicorp/vault/sdk/logical"
)

const vaultToken = "hvs.judge"

// vault is the transit engine behind the part of Vault's HTTP API that its users see: /v1/transit/, the token, a policy
// that lets nobody make a key by encrypting, and Vault's own statuses.
type vault struct {
	t       *testing.T
	backend logical.Backend
	storage logical.Storage
	server  *httptest.Server
}

func newVault(t *testing.T) *vault {
	t.Helper()
	config := logical.TestBackendConfig()
	config.StorageView = &logical.InmemStorage{}
	backend, err := engine.Factory(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	v := &vault{t: t, backend: backend, storage: config.StorageView}
	v.server = httptest.NewServer(v)
	t.Cleanup(v.server.Close)
	return v
}

// operator does what only an operator may.
func (v *vault) operator(path string, data map[string]any) {
	v.t.Helper()
	response, err := v.backend.HandleRequest(v.t.Context(), v.request(logical.UpdateOperation, path, data))
	if err != nil || response.IsError() {
		v.t.Fatalf("%s: %v %v", path, err, response)
	}
}

func (v *vault) request(op logical.Operation, path string, data map[string]any) *logical.Request {
	return &logical.Request{Operation: op, Path: path, Data: data, Storage: v.storage, MountPoint: "transit/"}
}

func (v *vault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	status, answer := v.serve(r)
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		v.t.Error(err)
	}
}

func (v *vault) serve(r *http.Request) (int, map[string]any) {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1/transit/")
	if !ok {
		return http.StatusNotFound, refusal(errors.New("no handler for route"))
	}
	if r.Header.Get("X-Vault-Token") != vaultToken {
		return http.StatusForbidden, refusal(logical.ErrPermissionDenied)
	}
	request := v.request(logical.ReadOperation, path, nil)
	if r.Method == http.MethodPost || r.Method == http.MethodPut {
		request.Operation = logical.UpdateOperation
		if err := json.NewDecoder(r.Body).Decode(&request.Data); err != nil {
			return http.StatusBadRequest, refusal(err)
		}
		if _, exists, err := v.backend.HandleExistenceCheck(r.Context(), request); err != nil || !exists && strings.HasPrefix(path, "encrypt/") {
			return http.StatusForbidden, refusal(logical.ErrPermissionDenied)
		}
	}
	response, err := v.backend.HandleRequest(r.Context(), request)
	if status, failure := logical.RespondErrorCommon(request, response, err); failure != nil || status >= 400 {
		return status, refusal(failure)
	}
	return http.StatusOK, map[string]any{"data": response.Data}
}

func refusal(err error) map[string]any {
	if err == nil {
		return map[string]any{"errors": []string{}}
	}
	return map[string]any{"errors": []string{err.Error()}}
}
