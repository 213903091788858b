package main

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/tenon-go/tenon/audit"
	"github.com/tenon-go/tenon/bundb"
	"github.com/tenon-go/tenon/principal"
	"github.com/tenon-go/tenon/problem"
	"github.com/tenon-go/tenon/tenancy"
)

// What the product keeps is called a project. It lives in a table of the product's own,
// and whatever happens to it happens in one transaction with what Tenon has to do for it.

//go:embed migrations
var migrations embed.FS

func schema() (bundb.Schema, error) {
	files, err := fs.Sub(migrations, "migrations")
	return bundb.Schema{Name: "quickstart", FS: files}, err
}

// project is a row of the table.
type project struct {
	ID, OrganizationID, Name string
	CreatedAt                time.Time
}

const (
	maxProjectName  = 100 // code points
	defaultProjects = 50
	maxProjects     = 200
)

var errProjectNotFound = problem.New(problem.NotFound, "PROJECT_NOT_FOUND", "There is no such project.")

// invalid says what is wrong with a field of a request.
func invalid(field, message string) error {
	return problem.ErrValidation.WithFields(problem.FieldError{Field: field, Code: "INVALID_VALUE", Message: message})
}

func errProjectName() error { return invalid("name", "must be 1 to 100 printable characters") }

// organizations says what there is to do with projects, and who may: owners everything
// by themselves, admins everything, members all but delete them.
func organizations() tenancy.Config {
	admin := tenancy.Statements()
	admin["organization"] = []string{"update"}
	admin["project"] = []string{"create", "read", "delete"}
	return tenancy.Config{
		Statements: tenancy.Permissions{"project": {"create", "read", "delete"}},
		Roles: map[string]tenancy.Permissions{
			tenancy.RoleAdmin:  admin,
			tenancy.RoleMember: {"ac": {"read"}, "project": {"create", "read"}},
		},
	}
}

// createProject makes a project of the organization in which the caller acts. The
// organization and the caller's place in it are held until it is there: neither goes
// meanwhile.
func (s *server) createProject(ctx context.Context, caller *principal.Principal, name string) (project, error) {
	name = strings.TrimSpace(name)
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) || r == utf8.RuneError }
	if name == "" || utf8.RuneCountInString(name) > maxProjectName || strings.ContainsFunc(name, unprintable) {
		return project{}, errProjectName()
	}
	id, err := uuid.NewV7()
	if err != nil {
		return project{}, fmt.Errorf("projects: make an id: %w", err)
	}
	p := project{ID: id.String(), OrganizationID: caller.OrganizationID, Name: name, CreatedAt: s.app.DB.Now()}
	err = s.app.DB.InTx(ctx, func(ctx context.Context) error {
		if _, _, err := s.app.Organizations.Authorize(ctx, caller, p.OrganizationID, "project", "create"); err != nil {
			return err
		}
		insert := s.app.DB.Statement("INSERT INTO projects (id, organization_id, name, created_at) VALUES (?, ?, ?, ?)")
		if _, err := insert.Exec(ctx, p.ID, p.OrganizationID, p.Name, p.CreatedAt); err != nil {
			return bundb.Wrap("projects: insert", err)
		}
		entry := aboutProject("sensitive_create", "ProjectCreated", p)
		entry.After = map[string]any{"name": p.Name}
		return s.app.Audit.Record(ctx, entry)
	})
	if err != nil {
		return project{}, fmt.Errorf("projects: create: %w", err)
	}
	return p, nil
}

// deleteProject deletes a project of the organization in which the caller acts. Another
// organization's is errProjectNotFound, as is one that never was.
func (s *server) deleteProject(ctx context.Context, caller *principal.Principal, id string) error {
	if uuid.Validate(id) != nil {
		return errProjectNotFound
	}
	p := project{ID: id, OrganizationID: caller.OrganizationID}
	err := s.app.DB.InTx(ctx, func(ctx context.Context) error {
		if _, _, err := s.app.Organizations.Authorize(ctx, caller, p.OrganizationID, "project", "delete"); err != nil {
			return err
		}
		remove := s.app.DB.Statement("DELETE FROM projects WHERE organization_id = ? AND id = ? RETURNING name")
		err := remove.QueryRow(ctx, p.OrganizationID, p.ID).Scan(&p.Name)
		if errors.Is(err, sql.ErrNoRows) {
			return errProjectNotFound
		}
		if err != nil {
			return bundb.Wrap("projects: delete a row", err)
		}
		entry := aboutProject("sensitive_delete", "ProjectDeleted", p)
		entry.Before = map[string]any{"name": p.Name}
		return s.app.Audit.Record(ctx, entry)
	})
	if err != nil {
		return fmt.Errorf("projects: delete: %w", err)
	}
	return nil
}

// findProject returns a project of the organization in which the caller acts.
func (s *server) findProject(ctx context.Context, caller *principal.Principal, id string) (project, error) {
	if uuid.Validate(id) != nil {
		return project{}, errProjectNotFound
	}
	p := project{ID: id, OrganizationID: caller.OrganizationID}
	find := s.app.DB.Statement("SELECT name, created_at FROM projects WHERE organization_id = ? AND id = ?")
	err := find.QueryRow(ctx, p.OrganizationID, p.ID).Scan(&p.Name, bundb.ScanTime(&p.CreatedAt))
	if errors.Is(err, sql.ErrNoRows) {
		return project{}, errProjectNotFound
	}
	if err != nil {
		return project{}, bundb.Wrap("projects: find", err)
	}
	return p, nil
}

// aboutProject is a line of the trail of the project's organization. Who did it, and from
// where, is in the ctx that it is recorded with.
func aboutProject(action, event string, p project) audit.Entry {
	return audit.Entry{
		Action: action, Event: event, OrganizationID: p.OrganizationID, Target: audit.Target{Type: "project", ID: p.ID},
	}
}

// listProjects returns the projects of the organization in which the caller acts, the
// newest first, from the cursor on, and the cursor of the next page, "" on the last. A
// cursor is an id: whose projects there are to see, only the organization decides.
func (s *server) listProjects(ctx context.Context, caller *principal.Principal, limit int, cursor string) (page []project, next string, err error) {
	const newest = "~" // sorts behind every id
	switch {
	case cursor == "":
		cursor = newest
	case uuid.Validate(cursor) != nil:
		return nil, "", invalid("cursor", "must be the nextCursor of an earlier page")
	}
	if limit <= 0 {
		limit = defaultProjects
	}
	limit = min(limit, maxProjects)
	if page, err = s.projectsBefore(ctx, caller.OrganizationID, cursor, limit+1); err != nil {
		return nil, "", bundb.Wrap("projects: list", err)
	}
	if len(page) > limit {
		page = page[:limit]
		next = page[limit-1].ID
	}
	return page, next, nil
}

func (s *server) projectsBefore(ctx context.Context, organizationID, cursor string, limit int) (list []project, err error) {
	before := s.app.DB.Statement("SELECT id, name, created_at FROM projects WHERE organization_id = ? AND id < ? ORDER BY id DESC LIMIT ?")
	rows, err := before.Query(ctx, organizationID, cursor, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		p := project{OrganizationID: organizationID}
		if err := rows.Scan(&p.ID, &p.Name, bundb.ScanTime(&p.CreatedAt)); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, rows.Err()
}

// forgetProjects deletes the projects of an organization with it, in its transaction.
func (s *server) forgetProjects(ctx context.Context, e tenancy.OrganizationDeleted) error {
	_, err := s.app.DB.Statement("DELETE FROM projects WHERE organization_id = ?").Exec(ctx, e.Organization.ID)
	return bundb.Wrap("projects: delete an organization's", err)
}
