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
	given        bool // inserted with the column
}

// block is one SELECT, UPDATE, DELETE or INSERT.
type block struct {
	parent *block
	refs   []*tenantRef
}

// group is what stands between two parentheses, of one block.
type group struct {
	parent *group
	loose  bool // an OR or NOT is in it
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
}

// frame is where the parser is.
type frame struct {
	block  *block
	group  *group
	clause string
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

func (p *tenantParser) begin(parent *block) {
	b := &block{parent: parent}
	p.blocks = append(p.blocks, b)
	p.at = frame{block: b, group: &group{}}
}

func (p *tenantParser) parse() {
	p.begin(nil)
	for i, w := range p.words {
		switch w {
		case "(":
			p.open(i)
		case ")":
			if n := len(p.stack); n > 0 {
				p.at, p.stack = p.stack[n-1], p.stack[:n-1]
			}
		case "union", "intersect", "except":
			p.begin(p.at.block.parent)
		case "or":
			p.at.group.loose = p.at.group.loose || p.at.clause == "condition"
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
		p.begin(p.at.block)
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
		p.at.clause = "tables"
	case "into":
		p.at.clause = "insert"
	case "update":
		if !slices.Contains([]string{"for", "do", "key"}, previous) {
			p.at.clause = "tables"
		}
	case "where":
		p.at.clause = "condition"
	case "on":
		p.at.clause = "condition"
		if next == "conflict" {
			p.at.clause = ""
		}
	case "select", "set", "for", "returning", "group", "order", "limit", "having", "values", "window":
		p.at.clause = ""
	}
}

// reference finds the tables of tenants, and the column where rows are inserted with it.
func (p *tenantParser) reference(i int) {
	w, refs := p.word(i), p.at.block.refs
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
	r := &tenantRef{table: w, alias: w}
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
	c := comparison{in: p.at.block, where: p.at.group, left: p.side(i-1, -1)}
	if p.word(i+1) == "(" && p.word(i+2) == "select" && p.word(i-1) != "not" {
		c.part = len(p.blocks) // the next one
	}
	if p.word(i) == "=" {
		c.right = p.side(i+1, 1)
	} else {
		c.right = side{value: p.word(i+1) == "(" && p.word(i+2) == "?"}
		if p.word(i-1) == "not" {
			return
		}
	}
	p.comparisons = append(p.comparisons, c)
}

// side reads a column, with the name of its table or without, or a value, beginning at
// word i in a direction.
func (p *tenantParser) side(i, step int) side {
	w := p.word(i)
	switch {
	case w == "?":
		return side{value: true}
	case step > 0 && p.word(i+1) == "(":
		return side{value: p.word(i+2) == "?"} // ANY (?), NULLIF (?, …
	case !isName(w):
		return side{}
	case p.word(i+step) != ".":
		return side{column: w}
	case step > 0:
		return side{alias: w, column: p.word(i + 2)}
	}
	return side{alias: p.word(i - 2), column: w}
}
