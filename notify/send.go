package notify

import (
	"context"
	"fmt"
	"slices"
)

// Send notifies the recipients of n, by the channels that each wants. It joins the
// transaction of ctx, so that nobody hears of what did not happen, and holds the
// recipients in it (rule R3); without one it makes its own. A recipient who has one of n's key
// already, or mutes the category, or is gone, gets none, which is no error.
//
// Errors: ErrInvalidNotification, with what is wrong; problem.ErrUnavailable.
func (s *Service) Send(ctx context.Context, n Notification) error {
	category, err := s.category(n.Category)
	if err != nil {
		return ErrInvalidNotification.With(fmt.Errorf("notify: category %q is not declared", n.Category))
	}
	item, err := n.item()
	if err != nil {
		return ErrInvalidNotification.With(fmt.Errorf("notify: %w", err))
	}
	recipients := slices.Clone(n.Recipients)
	slices.Sort(recipients)
	recipients = slices.Compact(recipients)
	if len(recipients) == 0 {
		return nil
	}
	err = s.store.InTx(ctx, func(ctx context.Context) error {
		return s.send(ctx, sending{n, category, item}, recipients)
	})
	if err != nil {
		return fmt.Errorf("notify: send: %w", err)
	}
	return nil
}

// sending is a notification on its way.
type sending struct {
	Notification
	category Category
	item     Item // what all recipients get
}

// send takes recipients in their order: two Sends to the same users wait for each
// other and do not deadlock.
func (s *Service) send(ctx context.Context, n sending, recipients []string) error {
	held, err := s.cfg.Users.HoldUsers(ctx, recipients, !n.NoWait)
	if err != nil {
		return fmt.Errorf("hold the recipients: %w", err)
	}
	if len(held) == 0 {
		return nil
	}
	deviations, err := s.store.Preferences(ctx, n.category.Name, held...)
	if err != nil {
		return err
	}
	byUser := map[string][]Preference{}
	for _, p := range deviations {
		byUser[p.UserID] = append(byUser[p.UserID], p)
	}
	var items []Item
	mailed := map[string]Item{}
	for _, userID := range held {
		mail := s.cfg.Mailer != nil && !n.NoMail && n.category.reaches(Mail, byUser[userID])
		item := n.item
		item.UserID, item.InApp = userID, n.category.reaches(InApp, byUser[userID])
		if !mail && !item.InApp {
			continue
		}
		if err := s.stamp(&item); err != nil {
			return err
		}
		if items = append(items, item); mail {
			mailed[item.ID] = item
		}
	}
	return s.deliver(ctx, n, items, mailed)
}

func (s *Service) stamp(item *Item) (err error) {
	if item.ID, err = s.newID(); err != nil {
		return err
	}
	if item.Key == "" {
		item.Key = item.ID
	}
	item.CreatedAt = s.now()
	return nil
}

// deliver keeps the items, and mails those that are new.
func (s *Service) deliver(ctx context.Context, n sending, items []Item, mailed map[string]Item) error {
	if len(items) == 0 {
		return nil
	}
	added, err := s.store.Add(ctx, items)
	if err != nil {
		return err
	}
	for _, id := range added {
		item, ok := mailed[id]
		if !ok {
			continue
		}
		letter := Letter{Item: item, Mutable: n.category.mutable(Mail), FromStranger: n.FromStranger}
		if err := s.cfg.Mailer.MailNotification(ctx, letter); err != nil {
			return fmt.Errorf("mail: %w", err)
		}
	}
	return nil
}
