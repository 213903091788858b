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
func (s side) resolve(b *block) column {
	name := column{in: b, name: s.alias + "." + s.column}
	for ; b != nil; b = b.parent {
		for _, r := range b.refs {
			if s.alias == r.alias || s.alias == "" && len(b.refs) == 1 {
				return column{ref: r, name: s.column}
			}
		}
		name.in = b
	}
	return name
}

// bound finds the columns that have one value.
func (p *tenantParser) bound(text string) map[column]bool {
	bound := map[column]bool{}
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
func (p *tenantParser) equal(bound map[column]bool, c comparison) {
	for _, pair := range [][2]side{{c.left, c.right}, {c.right, c.left}} {
		if pair[0].column == "" || !pair[1].value && (pair[1].column == "" || !bound[pair[1].resolve(c.in)]) {
			continue
		}
		got := pair[0].resolve(c.in)
		bound[got] = true
		if got.ref != nil && p.cfg.stands(got.ref.table, got.name) {
			bound[column{ref: got.ref, name: p.cfg.Column}] = true
		}
	}
}

// among binds a row that is one of those that a SELECT of the same table finds, by its id.
func (p *tenantParser) among(bound map[column]bool, c comparison) {
	if c.part == 0 || c.part >= len(p.blocks) || c.left.column != "id" || len(p.blocks[c.part].refs) == 0 {
		return
	}
	outer, inner := c.left.resolve(c.in).ref, p.blocks[c.part].refs[0]
	if outer != nil && outer.table == inner.table && bound[column{ref: inner, name: p.cfg.Column}] {
		bound[column{ref: outer, name: p.cfg.Column}] = true
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
		return e.Table == table && e.Column == "" && e.Statement != "" && strings.Contains(text, e.Statement)
	})
}

// stands reports whether the column stands for the organization.
func (c Tenants) stands(table, name string) bool {
	return slices.ContainsFunc(c.Excused, func(e Excuse) bool { return e.Table == table && e.Column != "" && e.Column == name })
}
