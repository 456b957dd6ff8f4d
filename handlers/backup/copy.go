package backup

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// pagesAStep is how many pages are copied between two looks at the context.
const pagesAStep = 4096

// copyDatabase copies a SQLite file as it is at one instant (sqlite.org/backup.html), while others write to it. The read
// transaction holds the instant; without it every write would make the copying begin anew.
func copyDatabase(ctx context.Context, from, to string, progress Progress) (err error) {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // SQLite would give it wider permissions
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Sync(), out.Close()) }()
	source, err := address(from, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)"}})
	if err != nil {
		return err
	}
	target, err := address(to, url.Values{"mode": {"rw"}, "_pragma": {"synchronous(FULL)"}})
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return err
	}
	defer func() { _, e := conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK"); err = errors.Join(err, e) }()
	var tables int
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil {
		return err
	}
	if tables == 0 {
		return errors.New("it holds nothing")
	}
	return conn.Raw(func(c any) (err error) {
		maker, ok := c.(interface {
			NewBackup(to string) (*sqlite.Backup, error)
		})
		if !ok {
			return fmt.Errorf("the database driver makes no backups")
		}
		b, err := maker.NewBackup(target)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, b.Finish()) }()
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			if more, err = b.Step(pagesAStep); err != nil {
				return err
			}
			if progress != nil {
				progress(int64(b.PageCount()-b.Remaining()), int64(b.PageCount()))
			}
		}
		return nil
	})
}

func address(path string, query url.Values) (string, error) {
	path, err := filepath.Abs(path)
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	return u.String(), err
}
