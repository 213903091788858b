package notify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tenon-go/tenon/internal/assert"
	"github.com/tenon-go/tenon/internal/cursor"
	"github.com/tenon-go/tenon/notify"
	"github.com/tenon-go/tenon/problem"
)

func TestNewNamesEveryMistake(t *testing.T) {
	t.Parallel()
	_, err := notify.New(nil, notify.Config{Keep: time.Minute, Categories: []notify.Category{
		{Name: "Bad name"}, {Name: "security"}, {Name: "a", Channels: []notify.Channel{"sms"}}, {Name: "b"}, {Name: "b"}, {Name: strings.Repeat("a", 65)},
	}})
	assert.Error(t, err)
	for _, want := range []string{
		"store", "Users", "Keys", "Now", "Keep", `"Bad name"`, `"security": it is built in`, `"a": there is no such channel`, `"b" is declared twice`, `aaa": the name`,
	} {
		assert.Contains(t, err.Error(), want)
	}
}

func TestASendIsARowPerRecipient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := comment("bob", "ada", "bob", "cyd")
	n.OrganizationID, n.Key, n.Body, n.Link = "acme", "comment/1", "Look", "/posts/1#c2"
	n.Data = map[string]any{"postId": "1", "n": 2}
	w.send(t, n)
	for _, user := range []string{"ada", "bob", "cyd"} {
		items := w.list(t, user)
		assert.Len(t, items, 1)
		assert.Equal(t, items[0], notify.Item{
			ID: items[0].ID, UserID: user, Category: "comments", Type: "comment.created", OrganizationID: "acme", Key: "comment/1",
			Title: "Somebody answered you", Body: "Look", Link: "/posts/1#c2", Data: []byte(`{"n":2,"postId":"1"}`), InApp: true, CreatedAt: w.now,
		})
		assert.Equal(t, w.unread(t, user), 1)
	}
	assert.Equal(t, w.users.held, []string{"ada", "bob", "cyd"}) // in one order, whatever the caller's
	assert.Equal(t, w.mails.to(), []string{"ada", "bob", "cyd"})
	assert.NoError(t, w.svc.Send(t.Context(), comment()))
}

func TestSendingTwiceIsOneRowAndOneMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := comment("ada")
	n.Key = "comment/1"
	w.send(t, n)
	n.Recipients, n.Title = []string{"ada", "bob"}, "Changed"
	w.send(t, n)
	assert.Len(t, w.list(t, "ada"), 1)
	assert.Equal(t, w.list(t, "ada")[0].Title, "Somebody answered you")
	assert.Equal(t, w.list(t, "bob")[0].Title, "Changed")
	assert.Equal(t, w.mails.to(), []string{"ada", "bob"})
	for range 2 {
		w.send(t, comment("cyd")) // without a key each is another
	}
	assert.Len(t, w.list(t, "cyd"), 2)
}

// Numbers that every organization counts by itself: the invoice 42 of another one is
// another fact, and must not be swallowed.
func TestAKeyIsOfItsOrganization(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, organization := range []string{"acme", "other", "", "acme", "other", ""} {
		n := comment("ada")
		n.Key, n.OrganizationID = "invoice/42/paid", organization
		w.send(t, n)
	}
	assert.Len(t, w.list(t, "ada"), 3)
	assert.Len(t, w.mails.to(), 3)
}

func TestAMutedListKeepsTheKeyOfItsMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(t, "ada", "comments", notify.InApp, false)
	n := comment("ada")
	n.Key = "comment/1"
	w.send(t, n)
	w.send(t, n)
	assert.Len(t, w.list(t, "ada"), 0)
	assert.Equal(t, w.unread(t, "ada"), 0)
	assert.Equal(t, w.mails.to(), []string{"ada"})
}

func TestChannelsFollowPreferencesAndDefaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(t, "bob", "comments", notify.Mail, false)
	w.set(t, "cyd", "comments", notify.InApp, false)
	w.set(t, "cyd", "comments", notify.Mail, false)
	w.set(t, "dan", "news", notify.Mail, true)
	w.send(t, comment("ada", "bob", "cyd", "dan"))
	assert.Equal(t, w.mails.to(), []string{"ada", "dan"})
	for user, want := range map[string]int{"ada": 1, "bob": 1, "cyd": 0, "dan": 1} {
		assert.Len(t, w.list(t, user), want)
	}
	w.mails.letters = nil
	news := comment("ada", "dan")
	news.Category = "news"
	w.send(t, news)
	assert.Equal(t, w.mails.to(), []string{"dan"})
	news.NoMail = true
	w.send(t, news)
	assert.Equal(t, w.mails.to(), []string{"dan"})
	assert.Len(t, w.list(t, "dan"), 3)
}

func TestLettersSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := comment("ada")
	w.send(t, n)
	n.FromStranger = true
	w.send(t, n)
	n.Category, n.FromStranger = notify.CategorySecurity, false
	w.send(t, n)
	n.Category = "legal"
	w.send(t, n)
	got := ""
	for _, l := range w.mails.letters {
		got += fmt.Sprintf("%s mutable=%v stranger=%v in-app=%v\n", l.Category, l.Mutable, l.FromStranger, l.InApp)
	}
	assert.Equal(t, got, `comments mutable=true stranger=false in-app=true
comments mutable=true stranger=true in-app=true
security mutable=false stranger=false in-app=true
legal mutable=false stranger=false in-app=false
`)
}

// Whoever is gone is passed over: the others hear of it, and the cause commits.
func TestR3_RecipientsAreHeldAndTheGonePassedOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users.gone = []string{"bob"}
	w.send(t, comment("ada", "bob", "cyd"))
	assert.Equal(t, w.users.held, []string{"ada", "cyd"})
	assert.Len(t, w.list(t, "bob"), 0)
	assert.Equal(t, w.mails.to(), []string{"ada", "cyd"})
	w.send(t, comment("bob"))
	_, err := w.svc.SetPreference(t.Context(), "bob", "comments", notify.Mail, false)
	assert.ErrorIs(t, err, problem.ErrNotFound)
	assert.Len(t, assert.Must(w.fake.Preferences(t.Context(), "", "bob"))(t), 0)
	n := comment("ada")
	n.NoWait = true
	w.send(t, n)
	assert.Equal(t, w.users.waited, []bool{true, true, true, false}) // two Sends, a preference, and this
	w.users.err = problem.ErrUnavailable
	assert.ErrorIs(t, w.svc.Send(t.Context(), comment("ada")), problem.ErrUnavailable)
}

func TestASendIsUndoneWithItsCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stop := errors.New("stop")
	assert.ErrorIs(t, w.fake.InTx(t.Context(), func(ctx context.Context) error {
		assert.NoError(t, w.svc.Send(ctx, comment("ada")))
		return stop
	}), stop)
	assert.Len(t, w.list(t, "ada"), 0)
	w.mails.err = stop
	assert.ErrorIs(t, w.svc.Send(t.Context(), comment("ada")), stop)
	assert.Len(t, w.list(t, "ada"), 0)
}

func TestWhatIsNoNotificationIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]func(n *notify.Notification){
		"no category":         func(n *notify.Notification) { n.Category = "" },
		"unknown category":    func(n *notify.Notification) { n.Category = "nothing" },
		"no type":             func(n *notify.Notification) { n.Type = "" },
		"odd type":            func(n *notify.Notification) { n.Type = "Comment Created" },
		"no title":            func(n *notify.Notification) { n.Title = " \u200b\x00\n" },
		"nobody":              func(n *notify.Notification) { n.Recipients = []string{"ada", ""} },
		"a crowd":             func(n *notify.Notification) { n.Recipients = make([]string, notify.MaxRecipients+1) },
		"a long key":          func(n *notify.Notification) { n.Key = strings.Repeat("k", notify.MaxKey+1) },
		"an odd place":        func(n *notify.Notification) { n.OrganizationID = "a\x00" },
		"a long place":        func(n *notify.Notification) { n.OrganizationID = strings.Repeat("o", 257) },
		"an odd recipient":    func(n *notify.Notification) { n.Recipients = []string{"ada", "b\xff"} },
		"a broken key":        func(n *notify.Notification) { n.Key = "a\x00b" },
		"a script":            func(n *notify.Notification) { n.Link = "javascript:alert(1)" },
		"data":                func(n *notify.Notification) { n.Link = "data:text/html,x" },
		"another site":        func(n *notify.Notification) { n.Link = "//evil.example/x" },
		"another site, twice": func(n *notify.Notification) { n.Link = `/\evil.example/x` },
		"a relative path":     func(n *notify.Notification) { n.Link = "posts/1" },
		"a name in the link":  func(n *notify.Notification) { n.Link = "https://a@evil.example/" },
		"no host":             func(n *notify.Notification) { n.Link = "https:///x" },
		"a line in the link":  func(n *notify.Notification) { n.Link = "/x\r\ny" },
		"a long link":         func(n *notify.Notification) { n.Link = "/" + strings.Repeat("x", notify.MaxLink) },
		"no JSON":             func(n *notify.Notification) { n.Data = map[string]any{"f": func() {}} },
		"much data":           func(n *notify.Notification) { n.Data = map[string]any{"x": strings.Repeat("x", notify.MaxData)} },
	} {
		n := comment("ada")
		change(&n)
		if err := w.svc.Send(t.Context(), n); !errors.Is(err, notify.ErrInvalidNotification) || problem.KindOf(err) != problem.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	assert.Len(t, w.list(t, "ada"), 0)
	for _, link := range []string{"/", "/a?b=c&d=%20#e", "https://example.com/x", "http://localhost:8080", "/ü"} {
		n := comment("ada")
		n.Link = link
		w.send(t, n)
	}
}

// Names of strangers end up in texts: what they hide there must not fail the change
// that is told, nor reach the reader.
func TestTextsAreCleanedAndCut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := comment("ada")
	n.Title = "  Ann\r\nBcc: x\x00\u202e \xff" + strings.Repeat("ü", 300)
	n.Body = "\n\none \t two\r\n\r\n\n\nthree\u200b\n" + strings.Repeat("x", 5000)
	w.send(t, n)
	item := w.list(t, "ada")[0]
	assert.True(t, strings.HasPrefix(item.Title, "Ann Bcc: x üüü"), item.Title)
	assert.Equal(t, utf8.RuneCountInString(item.Title), notify.MaxTitle)
	assert.True(t, strings.HasSuffix(item.Title, "ü…"), item.Title)
	assert.True(t, strings.HasPrefix(item.Body, "one two\n\nthree\nxxx"), item.Body)
	assert.Equal(t, utf8.RuneCountInString(item.Body), notify.MaxBody)
}

func FuzzSendKeepsWhatDatabasesCan(f *testing.F) {
	f.Add("title", "body", "/link", "key")
	f.Add("a\x00b\xff", "a\r\n\r\nb", "//x", "\xff")
	f.Fuzz(func(t *testing.T, title, body, link, key string) {
		w := newWorld(t)
		n := comment("ada")
		n.Title, n.Body, n.Link, n.Key = title, body, link, key
		if err := w.svc.Send(t.Context(), n); err != nil {
			assert.ErrorIs(t, err, notify.ErrInvalidNotification)
			return
		}
		i := w.list(t, "ada")[0]
		all := i.Title + i.Body + i.Link + i.Key
		if !utf8.ValidString(all) || strings.ContainsRune(all, 0) || strings.ContainsAny(i.Title, "\r\n") || i.Title == "" {
			t.Errorf("%q", all)
		}
	})
}

func TestListsGoOnByCursors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var want []string
	for n := range 45 {
		c := comment("ada")
		c.Title = fmt.Sprint(n)
		if n%9 != 0 {
			w.now = w.now.Add(-time.Second) // nine at one time
		}
		w.send(t, c)
		want = append([]string{c.Title}, want...)
	}
	for _, limit := range []int{0, 1, 7, 45, 1000} {
		var got []string
		p := notify.ListParams{UserID: "ada", Limit: limit}
		for pages := 0; ; pages++ {
			page := assert.Must(w.svc.List(t.Context(), p))(t)
			for _, i := range page.Items {
				got = append(got, i.Title)
			}
			if page.Next == "" {
				break
			}
			p.Cursor = page.Next
		}
		assert.Len(t, got, len(want))
		seen := map[string]bool{}
		for _, title := range got {
			assert.False(t, seen[title], "twice: "+title)
			seen[title] = true
		}
	}
	assert.Len(t, assert.Must(w.svc.List(t.Context(), notify.ListParams{UserID: "ada"}))(t).Items, notify.DefaultLimit)
}

func TestACursorIsTheCallersAndOfItsFilter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.send(t, comment("ada", "bob"))
	}
	page := assert.Must(w.svc.List(t.Context(), notify.ListParams{UserID: "ada", Limit: 1}))(t)
	for name, p := range map[string]notify.ListParams{
		"another user": {UserID: "bob", Cursor: page.Next}, "another filter": {UserID: "ada", Unread: true, Cursor: page.Next},
		"changed": {UserID: "ada", Cursor: page.Next[:len(page.Next)-2] + "xx"}, "made up": {UserID: "ada", Cursor: "AAAA"},
	} {
		if _, err := w.svc.List(t.Context(), p); !errors.Is(err, cursor.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMarkingIsForTheOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.send(t, comment("ada", "bob"))
	}
	mine, bobs := w.list(t, "ada"), w.list(t, "bob")
	assert.Equal(t, assert.Must(w.svc.MarkRead(t.Context(), "ada", bobs[0].ID, "unknown"))(t), 0)
	assert.Equal(t, assert.Must(w.svc.MarkRead(t.Context(), "ada", mine[0].ID, bobs[0].ID))(t), 1)
	assert.Equal(t, assert.Must(w.svc.MarkRead(t.Context(), "ada"))(t), 0)
	assert.Equal(t, w.unread(t, "ada"), 2)
	assert.Equal(t, w.unread(t, "bob"), 3)
	_, err := w.svc.MarkRead(t.Context(), "ada", make([]string, notify.MaxIDs+1)...)
	assert.ErrorIs(t, err, notify.ErrTooManyIDs)
	assert.Equal(t, assert.Must(w.svc.MarkAllRead(t.Context(), "ada", mine[1].CreatedAt))(t), 1) // mine[2]
	assert.Equal(t, w.unread(t, "ada"), 1)
	assert.Equal(t, assert.Must(w.svc.MarkAllRead(t.Context(), "ada", time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)))(t), 1)
	assert.Equal(t, w.unread(t, "ada"), 0)
	assert.Equal(t, w.unread(t, "bob"), 3)
}

func TestMaintainDeletesWhatIsOldInBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *notify.Config) { c.Keep = 24 * time.Hour })
	var crowd []string
	for n := range 900 {
		crowd = append(crowd, fmt.Sprintf("user-%d", n))
	}
	for range 3 {
		w.send(t, comment(crowd...))
	}
	w.now = w.now.Add(24*time.Hour - time.Second - time.Microsecond)
	w.send(t, comment("ada"))
	assert.NoError(t, w.svc.Maintain(t.Context()))
	assert.Len(t, w.list(t, "user-0"), 1) // of the third
	w.now = w.now.Add(2 * time.Second)
	assert.NoError(t, w.svc.Maintain(t.Context()))
	assert.Len(t, w.list(t, "user-0"), 0)
	assert.Len(t, w.list(t, "user-899"), 0)
	assert.Len(t, w.list(t, "ada"), 1)
}

func TestForgetLeavesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send(t, comment("ada", "bob"))
	w.set(t, "ada", "comments", notify.Mail, false)
	w.set(t, "bob", "comments", notify.Mail, false)
	assert.NoError(t, w.svc.ForgetPreferences(t.Context(), "bob"))
	assert.Len(t, w.list(t, "bob"), 1)
	assert.NoError(t, w.svc.Forget(t.Context(), "ada"))
	assert.Len(t, w.list(t, "ada"), 0)
	assert.Len(t, assert.Must(w.fake.Preferences(t.Context(), "", "ada", "bob"))(t), 0)
}

func TestAnOutageIsNoEmptyList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fake.Fail(problem.ErrUnavailable)
	for name, call := range map[string]func(ctx context.Context) error{
		"Send": func(ctx context.Context) error { return w.svc.Send(ctx, comment("ada")) },
		"List": func(ctx context.Context) error {
			_, err := w.svc.List(ctx, notify.ListParams{UserID: "ada"})
			return err
		},
		"UnreadCount": func(ctx context.Context) error { _, err := w.svc.UnreadCount(ctx, "ada"); return err },
		"MarkRead":    func(ctx context.Context) error { _, err := w.svc.MarkRead(ctx, "ada", "x"); return err },
		"MarkAllRead": func(ctx context.Context) error { _, err := w.svc.MarkAllRead(ctx, "ada", w.now); return err },
		"Preferences": func(ctx context.Context) error { _, err := w.svc.Preferences(ctx, "ada"); return err },
		"SetPreference": func(ctx context.Context) error {
			_, err := w.svc.SetPreference(ctx, "ada", "news", notify.Mail, true)
			return err
		},
		"Forget":            func(ctx context.Context) error { return w.svc.Forget(ctx, "ada") },
		"ForgetPreferences": func(ctx context.Context) error { return w.svc.ForgetPreferences(ctx, "ada") },
		"Maintain":          w.svc.Maintain,
	} {
		if err := call(t.Context()); !errors.Is(err, problem.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
