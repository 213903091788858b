package bundb

// Join is a piece of SQL that one store hands to another, so that a hot statement
// reads the tables of both without either package knowing the other's (R18). SQL
// is a JOIN clause; Columns are the expressions it adds to the select list, in
// the order in which they are scanned. Its text is a constant of the program.
type Join struct {
	SQL     string
	Columns []string
}
