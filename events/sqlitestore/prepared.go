package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
)

// prepared collects statements that live as long as their connections. They have to be closed before those:
// otherwise SQLite keeps the file open and does not move the journal into log.db.
type prepared struct {
	on interface {
		PrepareContext(context.Context, string) (*sql.Stmt, error)
	}
	list []*sql.Stmt
	err  error // the first that prepare met
}

func (p *prepared) prepare(ctx context.Context, text string) *sql.Stmt {
	if p.err != nil {
		return nil
	}
	var stmt *sql.Stmt
	if stmt, p.err = p.on.PrepareContext(ctx, text); p.err == nil {
		p.list = append(p.list, stmt)
	}
	return stmt
}

func (p *prepared) close() error {
	var errs []error
	for _, stmt := range p.list {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(errs...)
}
