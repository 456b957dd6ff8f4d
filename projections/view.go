package projections

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"traga.internal/events"
)

// View is one projection's tables as of one checkpoint, for reading. It must not be kept.
type View struct {
	// Position is how far into the log the tables go.
	Position events.Position
	tx       *sql.Tx
	g        *generation
}

// Query runs a query in which {name} stands for the table of that name.
func (v *View) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return v.tx.QueryContext(ctx, v.g.names.Replace(query), args...)
}

// View reads a projection: fn sees all its tables as of one checkpoint, whatever is written meanwhile. It fails
// with ErrUnknown or, while the projection is built for the first time, ErrNotBuilt. A projection that has
// stopped at an event still answers, as of its last checkpoint: see List and WaitFor.
func (e *Engine) View(ctx context.Context, projection string, fn func(v *View) error) (err error) {
	p, ok := e.byName(projection)
	if !ok {
		return fmt.Errorf("%w: %s", ErrUnknown, projection)
	}
	f, release, err := e.use()
	if err != nil {
		return err
	}
	defer release()
	defer func() {
		if isDamage(err) {
			e.reportDamage(f)
		}
	}()
	tx, err := f.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return explain("read projection "+projection, err)
	}
	defer tx.Rollback()
	g := &generation{p: p, live: true}
	err = tx.QueryRowContext(ctx, `SELECT generation, version, commit_pos, prepare_pos FROM generations WHERE name = ? AND live = 1`, projection).
		Scan(&g.number, &g.version, &g.at.Commit, &g.at.Prepare)
	if err == sql.ErrNoRows || err == nil && !p.reads(g.version) {
		return fmt.Errorf("%w: %s", ErrNotBuilt, projection)
	}
	if err != nil {
		return explain("read projection "+projection, err)
	}
	g.setNames()
	if err := fn(&View{Position: g.at, tx: tx, g: g}); err != nil {
		return explain("read projection "+projection, err)
	}
	return nil
}

// reads reports whether this program's queries understand the rows of a version.
func (p *Projection) reads(version int) bool {
	oldest := p.Compatible
	if oldest == 0 {
		oldest = p.Version
	}
	return oldest <= version && version <= p.Version
}

// reportDamage leaves word for the owner of the projections, in this process or another, to build them anew.
func (e *Engine) reportDamage(f *file) {
	// Where nothing can be written, the owner has to find the damage by itself.
	_ = os.WriteFile(f.path+damageMark, nil, 0o600)
	select {
	case e.damage <- struct{}{}:
	default:
	}
}
