package tenon

import "github.com/tenon-go/tenon/mail"

func (a *App) wireMail() (err error) {
	if a.cfg.MailTemplates == nil {
		a.cfg.MailTemplates, err = mail.NewTemplates(mail.TemplatesConfig{ProductName: a.cfg.ProductName})
		if err != nil {
			return err
		}
	}
	a.queue, err = mail.NewQueue(a.cfg.Mailer, mail.QueueConfig{
		AfterCommit: a.DB.AfterCommit,
		Now:         a.DB.Now,
		Logger:      a.cfg.Logger,
	})
	return err
}
