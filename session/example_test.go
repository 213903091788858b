package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/session"
	"github.com/tenon-go/tenon/session/sessiontest"
)

// A host with a sign-in of its own uses this package alone. In production the
// store is sessionbun's and the peppers are a crypto.Keyring.
func Example() {
	ctx := context.Background()
	store := sessiontest.NewFake(nil)
	if err := store.PutUser(ctx, sessiontest.UserState{User: session.User{ID: "ada"}, SecurityVersion: 1}); err != nil {
		log.Fatal(err)
	}
	sessions, err := session.New(store, session.Config{Peppers: &peppers{}})
	if err != nil {
		log.Fatal(err)
	}
	handler, err := session.NewHandler(sessions, session.HandlerConfig{BaseURL: "https://app.example.com"})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /sign-in", func(w http.ResponseWriter, r *http.Request) {
		grant, err := sessions.StartTrusted(r.Context(), session.TrustedStart{
			UserID: "ada", SecurityVersion: 1, UserAgent: r.UserAgent(),
		})
		if err != nil {
			http.Error(w, "no session", http.StatusInternalServerError)
			return
		}
		handler.SetCookie(w, grant)
	})
	mux.Handle("GET /hello", handler.RequireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, _ := principal.FromContext(r.Context())
		fmt.Fprintf(w, "hello %s", caller.UserID)
	})))
	site := handler.Middleware(mux)

	signedIn := httptest.NewRecorder()
	site.ServeHTTP(signedIn, httptest.NewRequestWithContext(ctx, "POST", "/sign-in", nil))
	for _, cookies := range [][]*http.Cookie{nil, signedIn.Result().Cookies()} {
		r := httptest.NewRequestWithContext(ctx, "GET", "/hello", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		rec := httptest.NewRecorder()
		site.ServeHTTP(rec, r)
		fmt.Println(rec.Code)
	}
	// Output:
	// 401
	// 200
}
