package bundbtest

import (
	"regexp"
	"slices"
	"strings"
)

var sqlWord = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/|[eExX]?'(?:[^']|'')*'|"[^"]*"|\$[0-9]+|[0-9][0-9.]*|[A-Za-z_][A-Za-z0-9_]*|<>|!=|<=|>=|\|\||::|->>?|\S`)

// Normalize writes a statement in small words with one space between them, without
// quotes and comments, every value and parameter as "?".
func Normalize(query string) string {
	var words []string
	for _, w := range sqlWord.FindAllString(query, -1) {
		switch {
		case strings.HasPrefix(w, "--"), strings.HasPrefix(w, "/*"):
			continue
		case strings.HasPrefix(w, `"`):
			w = strings.Trim(w, `"`)
		case strings.HasSuffix(w, "'"), w[0] == '$', w[0] >= '0' && w[0] <= '9':
			w = "?"
		}
		words = append(words, strings.ToLower(w))
	}
	return strings.Join(words, " ")
}

// tenantRef is a table of a tenant that a statement names.
type tenantRef struct {
	table, alias string
	in           *block
	inserted     bool
	given        bool // inserted with the column
}

// block is one SELECT, UPDATE, DELETE or INSERT.
type block struct {
	parent *block
	start  int // its first word
	refs   []*tenantRef
	// needed: the block around it has only rows for which this one has some, unless
	// within is loosened.
	needed bool
	within *group
	union  bool
	target bool // what conflicts has the same organization
}

// group is what stands between two parentheses, of one block.
type group struct {
	parent *group
	loose  bool // an OR, NOT or CASE is in it
}

func (g *group) holds() bool { return g == nil || !g.loose && g.parent.holds() }

// side is one side of a comparison: a column, or a value.
type side struct {
	alias, column string
	value         bool
}

type comparison struct {
	in          *block
	where       *group
	left, right side
	part        int // the block that the left side is among the rows of; 0: none
	first       int // the first table that it says something about: not those left of an outer join
}

// frame is where the parser is.
type frame struct {
	block  *block
	group  *group
	clause string
	first  int
}

type tenantParser struct {
	cfg         Tenants
	words       []string
	at          frame
	stack       []frame
	blocks      []*block
	comparisons []comparison
}

func (p *tenantParser) word(i int) string {
	if i < 0 || i >= len(p.words) {
		return ""
	}
	return p.words[i]
}

func (p *tenantParser) begin(b *block) {
	p.blocks = append(p.blocks, b)
	p.at = frame{block: b, group: &group{}}
}

func (p *tenantParser) parse() {
	p.begin(&block{})
	for i, w := range p.words {
		switch w {
		case "(":
			p.open(i)
		case ")":
			if n := len(p.stack); n > 0 {
				p.at, p.stack = p.stack[n-1], p.stack[:n-1]
			}
		case "union", "intersect", "except":
			b := *p.at.block
			p.at.block.union = true
			p.begin(&block{parent: b.parent, start: i + 1, union: true})
		case "or", "case":
			p.at.group.loose = p.at.group.loose || p.at.clause == "condition"
		case ",":
			if p.at.clause == "condition" { // of a join, before another table
				p.at.clause, p.at.first = "tables", 0
			}
		case "=", "in":
			p.compare(i)
		default:
			p.clause(i)
			p.reference(i)
		}
	}
}

func (p *tenantParser) open(i int) {
	p.stack = append(p.stack, p.at)
	if slices.Contains([]string{"select", "with", "insert", "update", "delete"}, p.word(i+1)) {
		needed := p.at.clause == "condition" && p.at.first == 0 && p.word(i-2) != "not" && slices.Contains([]string{"exists", "in", "="}, p.word(i-1))
		p.begin(&block{parent: p.at.block, start: i + 1, needed: needed, within: p.at.group})
		return
	}
	p.at.group = &group{parent: p.at.group, loose: p.word(i-1) == "not"}
}

// clause follows which part of a statement the words are in.
func (p *tenantParser) clause(i int) {
	previous, next := p.word(i-1), p.word(i+1)
	switch w := p.word(i); w {
	case "from":
		if previous != "distinct" {
			p.at.clause = "tables"
		}
	case "using":
		if next != "(" {
			p.at.clause = "tables"
		}
	case "join":
		p.at.clause, p.at.first = "tables", p.says(i)
	case "truncate", "copy":
		p.at.clause = "tables"
	case "into":
		p.at.clause = "insert"
		if previous == "replace" || previous == "merge" {
			p.at.clause = "tables"
		}
	case "update":
		if refs := p.at.block.refs; previous == "do" && len(refs) > 0 {
			refs[0].given = refs[0].given && p.at.block.target
		}
		if !slices.Contains([]string{"for", "do", "key"}, previous) {
			p.at.clause = "tables"
		}
	case "where":
		p.at.clause, p.at.first = "condition", 0
	case "on":
		p.at.clause = "condition"
		if next == "conflict" {
			p.at.clause = "conflict"
		}
	case "select", "set", "for", "returning", "group", "order", "limit", "having", "values", "window", "do":
		p.at.clause = ""
	}
}

// says returns the first table that the condition of the JOIN at word i says something
// about: of a LEFT JOIN the one that is joined, of a RIGHT or FULL one none.
func (p *tenantParser) says(i int) int {
	kind := p.word(i - 1)
	if kind == "outer" {
		kind = p.word(i - 2)
	}
	switch kind {
	case "left":
		return len(p.at.block.refs)
	case "right", "full":
		return len(p.words)
	}
	return 0
}

// reference finds the tables of tenants, and the column where rows are inserted with it.
func (p *tenantParser) reference(i int) {
	w, refs := p.word(i), p.at.block.refs
	if len(refs) > 0 && (w == p.cfg.Column || p.cfg.stands(refs[0].table, w)) {
		p.at.block.target = p.at.block.target || p.at.clause == "conflict"
	}
	if p.at.clause == "insert" && w == p.cfg.Column && len(refs) > 0 {
		refs[len(refs)-1].given = true
		return
	}
	if p.at.clause != "tables" && p.at.clause != "insert" || !slices.Contains(p.cfg.Tables, w) || p.word(i+1) == "." {
		return
	}
	next := i + 1
	if p.word(next) == "as" {
		next++
	}
	r := &tenantRef{table: w, alias: w, in: p.at.block, inserted: p.at.clause == "insert"}
	if name := p.word(next); isName(name) {
		r.alias = name
	}
	p.at.block.refs = append(refs, r)
}

// isName reports whether the word after a table is another name for it.
func isName(w string) bool {
	return w != "" && (w[0] == '_' || w[0] >= 'a' && w[0] <= 'z') && !slices.Contains([]string{
		"set", "where", "on", "join", "left", "right", "inner", "outer", "full", "cross", "natural", "using", "values", "select",
		"order", "group", "limit", "for", "returning", "default", "union", "intersect", "except", "having", "indexed", "not",
	}, w)
}

// compare notes a comparison, which counts in a condition only.
func (p *tenantParser) compare(i int) {
	if p.at.clause != "condition" {
		return
	}
	c := comparison{in: p.at.block, where: p.at.group, left: p.side(i-1, -1), first: p.at.first}
	before := i - 2
	if c.left.alias != "" {
		before = i - 4
	}
	if p.word(i-1) == "not" || p.word(before) == "not" {
		return
	}
	if p.word(i+1) == "(" && p.word(i+2) == "select" {
		c.part = len(p.blocks) // the next one
	}
	if p.word(i) == "=" {
		c.right = p.side(i+1, 1)
	} else {
		c.right = side{value: p.values(i + 1)}
	}
	p.comparisons = append(p.comparisons, c)
}

// values reports whether nothing but values are between the parentheses at word i.
func (p *tenantParser) values(i int) bool {
	if p.word(i) != "(" {
		return false
	}
	for i++; p.word(i) == "?" || p.word(i) == ","; i++ {
	}
	return p.word(i) == ")" && p.word(i-1) == "?"
}

// side reads a column, with the name of its table or without, or a value, beginning at
// word i in a direction.
func (p *tenantParser) side(i, step int) side {
	w := p.word(i)
	switch {
	case w == "?":
		return side{value: true}
	case step > 0 && p.word(i+1) == "(":
		return side{value: (w == "any" || w == "nullif") && p.values(i+1)}
	case step > 0 && w == "excluded": // which is inserted with it
		return side{value: p.word(i+2) == p.cfg.Column}
	case !isName(w):
		return side{}
	case p.word(i+step) != ".":
		return side{column: w}
	case step > 0:
		return side{alias: w, column: p.word(i + 2)}
	}
	return side{alias: p.word(i - 2), column: w}
}

// finds reports whether a SELECT finds ids of its table, and nothing else.
func (p *tenantParser) finds(b *block) bool {
	i := b.start + 1
	if p.word(i) == "distinct" {
		i++
	}
	if p.word(i+1) == "." {
		i += 2
	}
	return p.word(b.start) == "select" && p.word(i) == "id" && p.word(i+1) == "from" && !b.union
}
