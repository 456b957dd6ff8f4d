package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/events"
	"traga.internal/handlers/auth"
)

// readingFlags are those of every command that reads: where to read, as known when, and how to print.
func (a *app) readingFlags(cmd *cobra.Command) {
	addSettings(cmd.Flags(), clientSettings())
	cmd.Flags().String("at", "", "as known then: an instant such as 2026-03-02T10:15:00+01:00, or a position")
	cmd.Flags().String("why", "", "why you look, in one line: a server puts it on record, and shows some information for a stated need only")
	cmd.Flags().String("purpose", "", "the purpose that you look for, such as supervision")
	langFlag(cmd)
	a.jsonFlag(cmd)
}

func langFlag(cmd *cobra.Command) {
	cmd.Flags().String("lang", "en", "language of the sentences: "+strings.Join(languages[:], ", "))
}

// languages are those of the sentences; sr is written in Cyrillic.
var languages = [...]string{"en", "mk", "sq", "sr", "sr-Latn", "bs"}

// language reads --lang. One that traga does not have is refused: its reader would get another in its place.
func language(cmd *cobra.Command) (string, error) {
	f := cmd.Flags().Lookup("lang")
	if f == nil {
		return "", nil
	}
	lang := f.Value.String()
	if lang != "sr-Cyrl" && !slices.Contains(languages[:], lang) {
		return "", usagef("--lang: expected one of %s", strings.Join(languages[:], ", "))
	}
	return lang, nil
}

// source is where a reading command reads: a store's directory or a server. Exactly one is set.
type source struct {
	config *config
	dir    string
	keys   string // the directory of the store's keys
	server *url.URL
	token  string
	at     events.AsOf
	atText string
	lang   string
	// why and purpose are what a server is told of why one looks.
	why, purpose string
	now          func() time.Time
	stderr       io.Writer
}

func (a *app) source(cmd *cobra.Command) (*source, error) {
	c, err := loadConfig(cmd, a.environ)
	if err != nil {
		return nil, err
	}
	s := &source{config: c, dir: c.get("data"), keys: c.keys(), token: c.get("token"), now: a.now, stderr: a.Err}
	server := c.get("server")
	// A flag outweighs what the environment says of the other.
	if s.dir != "" && server != "" {
		switch {
		case c.source["data"] == "flag" && c.source["server"] != "flag":
			server = ""
		case c.source["server"] == "flag" && c.source["data"] != "flag":
			s.dir = ""
		default:
			return nil, usagef("name either --data DIR or --server URL, not both")
		}
	}
	switch {
	case s.dir == "" && server == "":
		return nil, usagef("say where to read: --data DIR for a store on this machine, or --server URL for a running traga")
	case server != "":
		u, err := url.Parse(server)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return nil, usagef("--server: expected an address such as http://127.0.0.1:8080")
		}
		if u.Scheme == "http" && s.token != "" && !auth.LoopbackHost(u.Hostname()) {
			return nil, usagef("--server: expected an https address: over http anyone on the way could take the token")
		}
		s.server = u
	}
	if f := cmd.Flags().Lookup("at"); f != nil {
		s.atText = f.Value.String()
		if s.at, err = events.ParseAsOf(s.atText); err != nil {
			return nil, &usageError{fmt.Errorf("--%w", err)}
		}
	}
	for flag, into := range map[string]*string{"why": &s.why, "purpose": &s.purpose} {
		if f := cmd.Flags().Lookup(flag); f != nil {
			*into = f.Value.String()
		}
	}
	s.lang, err = language(cmd)
	return s, err
}

// openLog opens the store for reading, beside whoever writes to it.
func (s *source) openLog(ctx context.Context) (*protectedLog, error) {
	if err := isDirectory(s.dir); err != nil {
		return nil, err
	}
	return openForReading(ctx, s.dir, s.keys)
}

// isDirectory says what is wrong with the name of a store's directory that should be there.
func isDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: there is no directory %s", errNotFound, dir)
	case err == nil && !info.IsDir():
		return usagef("--data: expected a directory, got the file %s", dir)
	}
	return err
}

// fetch asks the server for a path of its API and reads the answer into v. query values that are empty are left out.
func (s *source) fetch(ctx context.Context, path string, query url.Values, v any) (http.Header, error) {
	u := s.server.JoinPath(path)
	if query == nil {
		query = url.Values{}
	}
	if s.atText != "" && !query.Has("from") {
		query.Set("at", s.atText)
	}
	for k, values := range query {
		if len(values) == 1 && values[0] == "" {
			query.Del(k)
		}
	}
	u.RawQuery = query.Encode()
	return s.ask(ctx, http.MethodGet, u, nil, nil, v)
}

// ask sends one request and turns a problem in the answer into an error with its exit code.
func (s *source) ask(ctx context.Context, method string, u *url.URL, body io.Reader, header http.Header, v any) (http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	for k, values := range header {
		req.Header[k] = values
	}
	s.sign(req)
	client := &http.Client{Timeout: 2 * time.Minute}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the server %s: %w", s.server.Host, errors.Unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return nil, problemFrom(res)
	}
	switch v := v.(type) {
	case nil:
		return res.Header, nil
	case *[]byte: // as it is
		*v, err = io.ReadAll(io.LimitReader(res.Body, maxInput))
		return res.Header, err
	}
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	return res.Header, nil
}

// sign adds to a request who asks, and why.
func (s *source) sign(req *http.Request) {
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	if s.why != "" {
		req.Header.Set("Traga-Justification", "UTF-8''"+url.PathEscape(s.why)) // RFC 8187: a header is Latin only
	}
	if s.purpose != "" {
		req.Header.Set("Traga-Purpose", s.purpose)
	}
}

// problemFrom reads a problem (RFC 9457) and gives it the exit code that its status stands for.
func problemFrom(res *http.Response) error {
	var p struct {
		Title, Detail string
		Because       []string
	}
	_ = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p) // without a body the status alone must do
	text := strings.TrimSpace(p.Title + ": " + p.Detail)
	switch {
	case p.Title == "":
		text = "the server answered " + res.Status
	case res.StatusCode == http.StatusNotFound && p.Detail != "":
		text = p.Detail // says what is not there
	}
	if len(p.Because) > 0 {
		text += " (" + strings.Join(p.Because, ", ") + ")"
	}
	code := exitFailure
	switch res.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge, http.StatusPreconditionRequired:
		code = exitUsage
	case http.StatusUnauthorized, http.StatusForbidden:
		code = exitNotAllowed
	case http.StatusNotFound:
		code = exitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		code = exitConflict
	}
	return &codedError{code, errors.New(strings.TrimSuffix(text, ":"))}
}
