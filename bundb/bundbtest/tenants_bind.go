package bundbtest

import (
	"slices"
	"strings"
)

// column is one column of a table that a block names.
type column struct {
	ref  *tenantRef
	in   *block // for a table that is no tenant's
	name string
}

// resolve finds the table that a name of a column is of, in the block or around it.
func (s side) resolve(in *block) column {
	for b := in; b != nil; b = b.parent {
		if r := s.among(b.refs); r != nil {
			return column{ref: r, name: s.column}
		}
	}
	return column{in: in, name: s.alias + "." + s.column}
}

// among returns the table that the column is of: without a name of it, the only one, of
// those that are read where there are any.
func (s side) among(refs []*tenantRef) *tenantRef {
	if s.alias != "" {
		for _, r := range refs {
			if r.alias == s.alias {
				return r
			}
		}
		return nil
	}
	if read := slices.DeleteFunc(slices.Clone(refs), func(r *tenantRef) bool { return r.inserted }); len(read) > 0 {
		refs = read
	}
	if len(refs) != 1 {
		return nil
	}
	return refs[0]
}

// bindings are the columns that have one value.
type bindings map[column]bool

// has reports whether the column has one value, by the block that it is named in or by
// one around it.
func (b bindings) has(c column) bool {
	if b[c] || c.ref != nil {
		return b[c]
	}
	for in := c.in.parent; in != nil; in = in.parent {
		if b[column{in: in, name: c.name}] {
			return true
		}
	}
	return false
}

// bind notes a column that a comparison in a block binds: one of the block, or of one
// around it that has only rows for which this one has some.
func (b bindings) bind(c column, by comparison) bool {
	for in := by.in; in != nil; in = in.parent {
		switch {
		case c.ref == nil && by.first == 0:
			b[column{in: in, name: c.name}] = true
		case c.ref != nil && c.ref.in == in:
			if in == by.in && slices.Index(in.refs, c.ref) < by.first {
				return false
			}
			b[c] = true
			return true
		}
		if !in.needed || !in.within.holds() {
			break
		}
	}
	return false
}

// bound finds the columns that have one value.
func (p *tenantParser) bound(text string) bindings {
	bound := bindings{}
	for _, b := range p.blocks {
		for _, r := range b.refs {
			if r.given || p.cfg.excused(r.table, text) {
				bound[column{ref: r, name: p.cfg.Column}] = true
			}
		}
	}
	for changed := true; changed; {
		before := len(bound)
		for _, c := range p.comparisons {
			if c.where.holds() {
				p.equal(bound, c)
				p.among(bound, c)
			}
		}
		changed = len(bound) > before
	}
	return bound
}

// equal binds each side of a comparison whose other side is bound.
func (p *tenantParser) equal(bound bindings, c comparison) {
	for _, pair := range [][2]side{{c.left, c.right}, {c.right, c.left}} {
		if pair[0].column == "" || !pair[1].value && (pair[1].column == "" || !bound.has(pair[1].resolve(c.in))) {
			continue
		}
		got := pair[0].resolve(c.in)
		if bound.bind(got, c) && p.cfg.stands(got.ref.table, got.name) {
			bound[column{ref: got.ref, name: p.cfg.Column}] = true
		}
	}
}

// among binds a row that is one of those that a SELECT of the same table finds, by its id.
func (p *tenantParser) among(bound bindings, c comparison) {
	if c.part == 0 || c.part >= len(p.blocks) || c.left.column != "id" || !p.finds(p.blocks[c.part]) || len(p.blocks[c.part].refs) != 1 {
		return
	}
	outer, inner := c.left.resolve(c.in).ref, p.blocks[c.part].refs[0]
	if outer != nil && outer.table == inner.table && bound[column{ref: inner, name: p.cfg.Column}] {
		bound.bind(column{ref: outer, name: p.cfg.Column}, c)
	}
}

// unbound returns the references that may leave the organization.
func (p *tenantParser) unbound(text string) (found []*tenantRef) {
	bound := p.bound(text)
	for _, b := range p.blocks {
		for _, r := range b.refs {
			if !bound[column{ref: r, name: p.cfg.Column}] {
				found = append(found, r)
			}
		}
	}
	return found
}

// excused reports whether the statement needs no organization for the table.
func (c Tenants) excused(table, text string) bool {
	return slices.ContainsFunc(c.Excused, func(e Excuse) bool {
		return e.Table == table && e.Column == "" && e.Statement != "" && strings.Contains(text+" ;", e.Statement)
	})
}

// unneeded returns the excuses without which there are no more offences.
func (c Tenants) unneeded(texts []string) (names []string) {
	all := len(c.offences(texts))
	for i, e := range c.Excused {
		less := c
		less.Excused = slices.Delete(slices.Clone(c.Excused), i, i+1)
		if len(less.offences(texts)) == all {
			names = append(names, e.Name)
		}
	}
	return names
}

// stands reports whether the column stands for the organization.
func (c Tenants) stands(table, name string) bool {
	return slices.ContainsFunc(c.Excused, func(e Excuse) bool { return e.Table == table && e.Column != "" && e.Column == name })
}
