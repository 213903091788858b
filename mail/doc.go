// Package mail renders and sends the mail of accounts: confirmations, warnings,
// codes.
//
//	templates, err := mail.NewTemplates(mail.TemplatesConfig{ProductName: "Acme"})
//	smtp, err := mail.NewSMTP(mail.SMTPConfig{
//		Addr: "smtp.example.com:587", From: "Acme <no-reply@example.com>",
//		Username: "acme", Password: token.NewSecret(os.Getenv("SMTP_PASSWORD")),
//	})
//	queue, err := mail.NewQueue(smtp, mail.QueueConfig{AfterCommit: db.AfterCommit})
//	go queue.Run(ctx)
//	...
//	err = db.InTx(ctx, func(ctx context.Context) error {
//		message, err := templates.Render("en", "verify-email", mail.Data{Link: link, ExpiresIn: 24 * time.Hour})
//		message.To = user.Email
//		return queue.Enqueue(ctx, message) // mailed if and only if the transaction commits
//	})
//
// Callers know two interfaces: Outbox, which takes a message in the transaction
// of its cause, and Mailer, which sends one now. What stands between them can
// change without them. Nothing here takes a link's base from a request: links
// come ready-made from callers, who build them on their configured base URL.
//
// No error and no log line holds an address, a link or a code. Everything here
// is safe for concurrent use.
package mail
