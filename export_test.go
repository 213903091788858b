package tenon

// FirstFactors returns the paths that the table marks as first factors.
func (a *App) FirstFactors() map[string]bool {
	marked := map[string]bool{}
	for _, r := range a.routes() {
		if r.FirstFactor {
			marked[r.Path] = true
		}
	}
	return marked
}
