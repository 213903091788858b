package main

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/tenon-go/tenon"
	"github.com/tenon-go/tenon/auth/account"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/problem"
)

// notifications is the page behind the bell.
type notifications struct {
	Items      []notificationRow
	Unread     int
	Seen       string // when the newest that is shown was made
	Next       string // the cursor of older ones
	Categories []categoryRow
	Notice     string
	Error      string
}

// notificationRow is a notification as the page shows it.
type notificationRow struct {
	notify.Item
	New bool
	Ago string
}

// categoryRow is what a person decides about together.
type categoryRow struct {
	Name, Title, Description string
	Channels                 []notify.Setting
}

func (s *server) notificationRoutes(mux *http.ServeMux) {
	mux.Handle("GET /notifications", s.forUser("", s.notifications))
	mux.Handle("POST /notifications/read", s.forUser(tenon.RateLimitAccount, s.inPerson(s.markRead)))
	mux.Handle("POST /notifications/read-all", s.forUser(tenon.RateLimitAccount, s.inPerson(s.markAllRead)))
	mux.Handle("POST /notifications/choose", s.forUser(tenon.RateLimitAccount, s.inPerson(s.choose)))
}

// inPerson refuses a superuser who acts as somebody else: what the owner has to see must
// not disappear behind their back (rule R22).
func (s *server) inPerson(page userPage) userPage {
	return func(w http.ResponseWriter, r *http.Request, caller account.Caller) {
		if caller.Principal.ImpersonatorID != "" {
			s.finishNotifications(w, r, caller, "", problem.ErrForbidden)
			return
		}
		page(w, r, caller)
	}
}

func (s *server) notifications(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	var view notifications
	if r.URL.Query().Has("chosen") {
		view.Notice = "Your choice is kept."
	}
	s.showNotifications(w, r, caller, http.StatusOK, view)
}

func (s *server) showNotifications(w http.ResponseWriter, r *http.Request, caller account.Caller, status int, view notifications) {
	ctx, userID := r.Context(), caller.Principal.UserID
	page, err := s.app.Notifications.List(ctx, notify.ListParams{UserID: userID, Cursor: r.FormValue("cursor")})
	if problem.KindOf(err) == problem.Invalid { // a link that somebody changed
		http.Redirect(w, r, "/notifications", http.StatusSeeOther)
		return
	}
	if err == nil {
		view.Unread, err = s.app.Notifications.UnreadCount(ctx, userID)
	}
	var settings []notify.Setting
	if err == nil {
		settings, err = s.app.Notifications.Preferences(ctx, userID)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view.Next, view.Categories = page.Next, categoryRows(settings)
	now := s.app.DB.Now()
	for i, item := range page.Items {
		if i == 0 {
			view.Seen = item.CreatedAt.Format(time.RFC3339Nano)
		}
		view.Items = append(view.Items, notificationRow{Item: item, New: item.ReadAt.IsZero(), Ago: ago(now, item.CreatedAt)})
	}
	s.render(w, r, status, "notifications.html", view)
}

func categoryRows(settings []notify.Setting) (rows []categoryRow) {
	for _, setting := range settings {
		c := setting.Category
		if len(rows) == 0 || rows[len(rows)-1].Name != c.Name {
			rows = append(rows, categoryRow{Name: c.Name, Title: strings.ToUpper(c.Name[:1]) + c.Name[1:], Description: c.Description})
		}
		last := &rows[len(rows)-1]
		last.Channels = append(last.Channels, setting)
	}
	return rows
}

func (s *server) markRead(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	_, err := s.app.Notifications.MarkRead(r.Context(), caller.Principal.UserID, r.PostFormValue("id"))
	s.finishNotifications(w, r, caller, "/notifications", err)
}

// markAllRead marks what the page showed, and what came since stays new.
func (s *server) markAllRead(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	seen, err := time.Parse(time.RFC3339Nano, r.PostFormValue("seen"))
	if err == nil {
		_, err = s.app.Notifications.MarkAllRead(r.Context(), caller.Principal.UserID, seen.Add(time.Microsecond))
	}
	s.finishNotifications(w, r, caller, "/notifications", err)
}

func (s *server) choose(w http.ResponseWriter, r *http.Request, caller account.Caller) {
	_, err := s.app.Notifications.SetPreference(r.Context(), caller.Principal.UserID,
		r.PostFormValue("category"), notify.Channel(r.PostFormValue("channel")), r.PostFormValue("enabled") == "true")
	s.finishNotifications(w, r, caller, "/notifications?chosen#choices", err)
}

func (s *server) finishNotifications(w http.ResponseWriter, r *http.Request, caller account.Caller, next string, err error) {
	var p *problem.Error
	switch {
	case err == nil:
		http.Redirect(w, r, next, http.StatusSeeOther)
	case errors.As(err, &p) && p.Kind != problem.Internal && p.Kind != problem.Unavailable:
		s.showNotifications(w, r, caller, p.Status(), notifications{Error: p.Message})
	default:
		s.fail(w, r, err)
	}
}
