package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"traga.internal/handlers/reactions"
)

// setting is one thing that can be configured, by flag, TRAGA_* variable or file.
type setting struct {
	key, fallback, help string
	secret              bool
	toggle              bool // true or false; its flag needs no value
	noFlag              bool // a flag shows in the list of processes
}

// flag is the name of the setting's flag: log.level is --log-level.
func (s setting) flag() string { return strings.ReplaceAll(s.key, ".", "-") }

// variable is the name of the setting's environment variable: log.level is TRAGA_LOG_LEVEL.
func (s setting) variable() string {
	return "TRAGA_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.key))
}

func serviceSettings() []setting {
	return []setting{
		{key: "listen", fallback: "127.0.0.1:8080", help: "address to serve on, as HOST:PORT"},
		{key: "data", help: "directory of the store and its read models"},
		{key: "store", help: "address of an EventStoreDB cluster that holds the log, such as esdb://HOST:PORT; --data is then for read models", secret: true},
		{key: "ledger", toggle: true, help: "with --store: this node keeps the ledger and has it signed; one node of a cluster does"},
		{key: "keys", help: "directory of the keys, apart from the store (DATA.keys)"},
		{key: "hosts", help: "names that traga is asked by, with commas between them"},
		{key: "tls.cert", help: "file of the TLS certificate, in PEM"},
		{key: "tls.key", help: "file of its key, in PEM"},
		{key: "behind-proxy", toggle: true, help: "a proxy in front of traga ends TLS, passes Host on, and adds to X-Forwarded-For"},
		{key: "insecure-no-auth", toggle: true, help: "no sign-in: whoever can reach this machine reads and records everything"},
		{key: "oidc.issuer", help: "address of the identity provider, such as https://id.example.org"},
		{key: "oidc.client-id", help: "what the identity provider knows traga by"},
		{key: "oidc.client-secret", help: "the secret that goes with it, if it has one", secret: true, noFlag: true},
		{key: "oidc.officer-claim", fallback: "sub", help: "the claim that holds the officer's id in the directory"},
		{key: "oidc.audience", help: "whom the provider's tokens for the API are for (the client id)"},
		{key: "oidc.scopes", fallback: "profile", help: "what is asked for beside openid, with spaces between"},
		{key: "session.idle", fallback: "30m", help: "a person who does nothing for so long is signed out"},
		{key: "session.life", fallback: "12h", help: "after so long a person must sign in again"},
		policySetting(),
		{key: "metrics.token", help: "who bears it may read /metrics from elsewhere", secret: true, noFlag: true},
		{key: "log.level", fallback: "info", help: "debug, info, warn or error"},
		{key: "log.format", fallback: "text", help: "text or json"},
	}
}

func clientSettings() []setting {
	return []setting{
		{key: "data", help: "the directory of a store on this machine"},
		{key: "keys", help: "directory of its keys (DATA.keys)"},
		{key: "server", help: "ask the traga at this address, such as http://127.0.0.1:8080"},
		{key: "token", help: "the token to sign in to the server with", secret: true},
	}
}

// allSettings are the keys that a configuration file or the environment may name.
func allSettings() []setting {
	all := serviceSettings()
	for _, s := range append(clientSettings(), sealSettings()...) {
		if !slices.ContainsFunc(all, func(t setting) bool { return t.key == s.key }) {
			all = append(all, s)
		}
	}
	return all
}

// addSettings gives a command a flag for each setting. Flags have no default of their own: a flag that was not
// given must not hide what the environment or the file say.
func addSettings(flags *pflag.FlagSet, settings []setting) {
	for _, s := range settings {
		help := s.help
		if s.fallback != "" {
			help += " (" + s.fallback + ")"
		}
		switch {
		case s.noFlag:
		case s.toggle:
			flags.Bool(s.flag(), false, help)
		default:
			flags.String(s.flag(), "", help)
		}
	}
}

// config is what is in force, and where each value came from.
type config struct {
	k      *koanf.Koanf
	source map[string]string
	// reactions is what the file says of telling others; nil when it says nothing.
	reactions *reactions.Settings
}

func (c *config) get(key string) string { return c.k.String(key) }

// on is a setting that is true or false.
func (c *config) on(key string) bool { return c.get(key) == "true" }

// loadConfig merges defaults, the file, TRAGA_* variables and flags, each overriding the ones before. Unknown
// keys in the file or the environment are refused: a misspelt setting must not be silently ignored.
func loadConfig(cmd *cobra.Command, environ []string) (*config, error) {
	c := &config{k: koanf.New("."), source: map[string]string{}}
	known := allSettings()
	defaults := map[string]any{}
	for _, s := range known {
		defaults[s.key] = s.fallback
	}
	if err := c.merge(defaults, "default"); err != nil {
		return nil, err
	}
	path, _ := cmd.Flags().GetString("config")
	if path == "" {
		path = lookup(environ, "TRAGA_CONFIG")
	}
	if path != "" {
		values, err := readConfigFile(path, known)
		if err != nil {
			return nil, err
		}
		if err := c.merge(values, "file "+path); err != nil {
			return nil, err
		}
		if c.reactions, err = reactionsSection(path); err != nil {
			return nil, err
		}
		c.source["reactions"] = "file " + path
	}
	values, err := readEnvironment(environ, known)
	if err != nil {
		return nil, err
	}
	if err := c.merge(values, "environment"); err != nil {
		return nil, err
	}
	given := map[string]any{}
	for _, s := range known {
		if f := cmd.Flags().Lookup(s.flag()); f != nil && f.Changed {
			given[s.key] = f.Value.String()
		}
	}
	if err := c.merge(given, "flag"); err != nil {
		return nil, err
	}
	if keys, data := c.get("keys"), c.get("data"); keys != "" && data != "" {
		inside, err := within(data, keys)
		if err != nil {
			return nil, err
		}
		if inside {
			return nil, usagef("keys (%s): expected a directory apart from the store's; whoever has a copy of the store must not have its keys with it", c.source["keys"])
		}
	}
	for _, s := range known {
		if v := c.get(s.key); s.toggle && v != "" && v != "true" && v != "false" {
			return nil, usagef("%s (%s): expected true or false", s.key, c.source[s.key])
		}
	}
	return c, nil
}

// within reports whether a path is a directory or below it.
func within(dir, path string) (bool, error) {
	dir, err1 := filepath.Abs(dir)
	path, err2 := filepath.Abs(path)
	if err := errors.Join(err1, err2); err != nil {
		return false, err
	}
	below, err := filepath.Rel(dir, path)
	return err == nil && below != ".." && !strings.HasPrefix(below, ".."+string(filepath.Separator)), nil
}

func (c *config) merge(values map[string]any, source string) error {
	for key := range values {
		c.source[key] = source
	}
	return c.k.Load(confmap.Provider(values, "."), nil)
}

func readConfigFile(path string, known []setting) (map[string]any, error) {
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		return nil, usagef("read the configuration file %s: %w", path, err)
	}
	k.Delete("reactions") // a section of its own kind: see reactionsSection
	values := map[string]any{}
	for _, key := range k.Keys() {
		if !slices.ContainsFunc(known, func(s setting) bool { return s.key == key }) {
			return nil, usagef("the configuration file %s names %q, which is no setting; expected reactions or one of %s", path, key, settingNames(known, setting.name))
		}
		values[key] = k.String(key)
	}
	return values, nil
}

func (s setting) name() string { return s.key }

func settingNames(known []setting, name func(setting) string) string {
	names := make([]string, 0, len(known))
	for _, s := range known {
		names = append(names, name(s))
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// readEnvironment reads TRAGA_* variables. A secret may come from a file: TRAGA_TOKEN_FILE names it.
// TRAGA_CONFIG names the configuration file; TRAGA_TEST_* belong to the tests.
func readEnvironment(environ []string, known []setting) (map[string]any, error) {
	k := koanf.New("\x00") // the keys are flat here
	err := k.Load(env.Provider("\x00", env.Opt{Prefix: "TRAGA_", EnvironFunc: func() []string { return environ }}), nil)
	if err != nil {
		return nil, fmt.Errorf("read the environment: %w", err)
	}
	values := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(k.All())) {
		if name == "TRAGA_CONFIG" || strings.HasPrefix(name, "TRAGA_TEST_") {
			continue
		}
		value := k.String(name)
		i := slices.IndexFunc(known, func(s setting) bool {
			return s.variable() == name || s.secret && s.variable()+"_FILE" == name
		})
		if i < 0 {
			return nil, usagef("the environment sets %s, which is no setting; expected one of %s", name, settingNames(known, setting.variable))
		}
		if known[i].variable() != name {
			content, err := os.ReadFile(value)
			if err != nil {
				return nil, usagef("read the file named by %s: %w", name, err)
			}
			value = strings.TrimSpace(string(content))
		}
		values[known[i].key] = value
	}
	return values, nil
}

func lookup(environ []string, name string) string {
	for _, e := range environ {
		if k, v, _ := strings.Cut(e, "="); k == name {
			return v
		}
	}
	return ""
}

// configEntry is one line of config print.
type configEntry struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	From    string `json:"from"`
}

func (a *app) configCommand() *cobra.Command {
	group := &cobra.Command{Use: "config", Short: "Show how traga is configured"}
	show := &cobra.Command{
		Use: "print", Short: "Print every setting in force, and where it comes from", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, a.environ)
			if err != nil {
				return err
			}
			entries := []configEntry{}
			for _, s := range allSettings() {
				value := c.get(s.key)
				if s.secret && value != "" {
					value = "(secret)"
				}
				entries = append(entries, configEntry{Setting: s.key, Value: value, From: c.source[s.key]})
			}
			if c.reactions != nil {
				entries = append(entries, configEntry{Setting: "reactions", Value: reactionsText(c.reactions), From: c.source["reactions"]})
			}
			slices.SortFunc(entries, func(x, y configEntry) int { return strings.Compare(x.Setting, y.Setting) })
			return a.print(cmd, entries, func(w io.Writer) {
				t := newTable(w, "SETTING", "VALUE", "FROM")
				for _, e := range entries {
					t.row(e.Setting, e.Value, e.From)
				}
				t.flush()
			})
		},
	}
	addSettings(show.Flags(), allSettings())
	a.jsonFlag(show)
	group.AddCommand(show)
	return group
}
