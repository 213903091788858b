package bundb

import "context"

// Counts runs a statement whose rows are a text and a number, such as a
// "SELECT kid, count(*) … GROUP BY kid", and returns them.
func (s Statement) Counts(ctx context.Context, args ...any) (map[string]int64, error) {
	rows, err := s.Query(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[string]int64{}
	for rows.Next() {
		var key string
		var n int64
		if err := rows.Scan(&key, &n); err != nil {
			return nil, err
		}
		counts[key] = n
	}
	return counts, rows.Err()
}
