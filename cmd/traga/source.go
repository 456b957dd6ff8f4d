package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"traga.internal/events"
	"traga.internal/events/sqlitestore"
)

// readingFlags are those of every command that reads: where to read, as known when, and how to print.
func (a *app) readingFlags(cmd *cobra.Command) {
	addSettings(cmd.Flags(), clientSettings())
	cmd.Flags().String("at", "", "as known then: an instant such as 2026-03-02T10:15:00+01:00, or a position")
	cmd.Flags().String("lang", "en", "language of the sentences: en, mk, sq, sr, sr-Latn, bs")
	a.jsonFlag(cmd)
}

// source is where a reading command reads: a store's directory or a server. Exactly one is set.
type source struct {
	dir    string
	server *url.URL
	token  string
	at     events.AsOf
	atText string
	lang   string
	now    func() time.Time
	stderr io.Writer
}

func (a *app) source(cmd *cobra.Command) (*source, error) {
	c, err := loadConfig(cmd, a.environ)
	if err != nil {
		return nil, err
	}
	s := &source{dir: c.get("data"), token: c.get("token"), now: a.now, stderr: a.Err}
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
		s.server = u
	}
	if f := cmd.Flags().Lookup("at"); f != nil {
		s.atText = f.Value.String()
		if s.at, err = events.ParseAsOf(s.atText); err != nil {
			return nil, &usageError{fmt.Errorf("--%w", err)}
		}
	}
	if f := cmd.Flags().Lookup("lang"); f != nil {
		s.lang = f.Value.String()
	}
	return s, nil
}

// openLog opens the store for reading, beside whoever writes to it.
func (s *source) openLog(ctx context.Context) (*sqlitestore.Store, error) {
	if _, err := os.Stat(s.dir); errors.Is(err, os.ErrNotExist) {
		return nil, &codedError{exitNotFound, fmt.Errorf("there is no directory %s", s.dir)}
	}
	return sqlitestore.Open(ctx, s.dir, sqlitestore.ReadOnly())
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
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	client := &http.Client{Timeout: 2 * time.Minute}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the server %s: %w", s.server.Host, errors.Unwrap(err))
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return nil, problemFrom(res)
	}
	if v == nil {
		return res.Header, nil
	}
	if err := json.NewDecoder(res.Body).Decode(v); err != nil {
		return nil, fmt.Errorf("read the server's answer: %w", err)
	}
	return res.Header, nil
}

// problemFrom reads a problem (RFC 9457) and gives it the exit code that its status stands for.
func problemFrom(res *http.Response) error {
	var p struct {
		Title, Detail string
		Because       []string
	}
	_ = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&p) // without a body the status alone must do
	text := strings.TrimSpace(p.Title + ": " + p.Detail)
	if p.Title == "" {
		text = "the server answered " + res.Status
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
