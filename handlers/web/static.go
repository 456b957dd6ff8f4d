package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"time"
)

//go:embed static
var staticFiles embed.FS

// asset is a file that pages load.
type asset struct {
	content   []byte
	etag      string
	mediaType string
}

func newStatic() map[string]asset {
	all := map[string]asset{}
	for name, mediaType := range map[string]string{"traga.css": "text/css; charset=utf-8", "traga.js": "text/javascript; charset=utf-8",
		"icon.svg": "image/svg+xml"} {
		content, err := staticFiles.ReadFile("static/" + name)
		if err != nil { // a test asks for each of them
			continue
		}
		sum := sha256.Sum256(content)
		all[name] = asset{content, `"` + hex.EncodeToString(sum[:8]) + `"`, mediaType}
	}
	return all
}

func (s *site) serveStatic(w http.ResponseWriter, r *http.Request) {
	a, ok := s.static[r.PathValue("file")]
	if !ok {
		s.page(s.elsewhere).ServeHTTP(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.mediaType)
	h.Set("ETag", a.etag)
	h.Set("Cache-Control", "public, max-age=60")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.content))
}
