package projections

import (
	"context"
	"os"
	"strings"
)

// Spoil damages the open file of an engine, behind its caches.
func Spoil(e *Engine) error {
	f := e.file
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.exec(context.Background(), "PRAGMA wal_checkpoint(truncate)"); err != nil {
		return err
	}
	w, err := os.OpenFile(f.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer w.Close()
	info, err := w.Stat()
	if err != nil {
		return err
	}
	for at := int64(4096); at < info.Size(); at += 4096 {
		if _, err := w.WriteAt([]byte(strings.Repeat("\xff", 600)), at); err != nil {
			return err
		}
	}
	f.readers.SetMaxIdleConns(0) // new connections read the file again
	f.readers.SetMaxIdleConns(4)
	return nil
}
