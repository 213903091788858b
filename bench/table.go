package main

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// row is a line of the table.
type row struct {
	figure string
	bare   string // the bare limit, and what it is
	tenon  string
	ratio  string // to the bare limit
	goal   string
}

// printHead prints what the figures are measured on, and the head of the table.
func (b *bench) printHead(ctx context.Context) error {
	var server string
	if err := b.admin.QueryRow(ctx, "SHOW server_version").Scan(&server); err != nil {
		return err
	}
	server, _, _ = strings.Cut(server, " ")
	fmt.Printf("%s, %d CPUs, %s, PostgreSQL %s, median of %d\n\n",
		time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), server, b.rounds)
	fmt.Println("| figure | bare limit | Tenon | ratio (least–greatest) | goal |")
	fmt.Println("|---|---|---|---|---|")
	return nil
}

func printRows(rows []row) {
	for _, r := range rows {
		fmt.Printf("| %s | %s | %s | %s | %s |\n", r.figure, r.bare, r.tenon, r.ratio, r.goal)
	}
}

// judged says whether a goal was met in this run.
func judged(goal string, met bool) string {
	if met {
		return goal + ": met"
	}
	return goal + ": **missed**"
}

func micros(d time.Duration) string { return fmt.Sprintf("%.2f µs", float64(d.Nanoseconds())/1e3) }

func millis(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Nanoseconds())/1e6) }
