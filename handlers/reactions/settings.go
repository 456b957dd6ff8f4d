package reactions

import (
	"errors"
	"fmt"
	"io"
	"net/mail"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"traga.internal/aggregates/protocol"
	"traga.internal/events"
	"traga.internal/projections/timeline"
)

// Settings are the reactions section of the service's configuration file. Secrets are never in it: it names the files
// that hold them.
type Settings struct {
	// Page is the address of traga's pages, such as https://traga.example.org; links in alerts begin with it.
	Page          string         `yaml:"page"`
	Retry         Retry          `yaml:"retry"`
	Alertmanagers []Alertmanager `yaml:"alertmanager"`
	Webhooks      []Webhook      `yaml:"webhooks"`
	Mail          *Mail          `yaml:"mail"`
	Feeds         []Feed         `yaml:"feeds"`
	Inboxes       []Inbox        `yaml:"inbox"`
}

// Retry says how long a peer that is away is waited for.
type Retry struct {
	First   time.Duration `yaml:"first"`   // the first pause, 1s when left out
	Longest time.Duration `yaml:"longest"` // the longest pause, 5m
	// GiveUp is the age at which an alert is parked, 24h. A feed never gives up: it holds its order.
	GiveUp time.Duration `yaml:"give-up"`
}

// Wanted narrows the alerts that a receiver gets. Empty fields do not narrow.
type Wanted struct {
	Jurisdictions []events.Jurisdiction `yaml:"jurisdictions"`
	Institutions  []events.Institution  `yaml:"institutions"` // the duty holders
	Severities    []protocol.Severity   `yaml:"severities"`
	States        []State               `yaml:"states"` // due-soon, overdue; what is resolved is told to whom the alert was
}

// Peer is whom something is posted to by HTTP.
type Peer struct {
	URL string `yaml:"url"`
	// TokenFile holds a token that the peer asks for (Authorization: Bearer), CAFile the certificate of its authority.
	TokenFile string `yaml:"token-file"`
	CAFile    string `yaml:"ca-file"`
}

// Alertmanager is a Prometheus Alertmanager.
type Alertmanager struct {
	Name   string `yaml:"name"`
	Peer   `yaml:",inline"`
	Wanted `yaml:",inline"`
}

// Webhook is an address to which alerts are posted, signed as of standardwebhooks.com.
type Webhook struct {
	Name string `yaml:"name"`
	Peer `yaml:",inline"`
	// SecretFile holds the secret shared with the receiver: whsec_ and 24 to 64 bytes in base64.
	SecretFile string `yaml:"secret-file"`
	Wanted     `yaml:",inline"`
}

// Mail is how mail is sent, and to whom.
type Mail struct {
	Server string `yaml:"server"` // HOST:PORT
	// TLS is starttls (when left out), tls (from the first byte) or none, which only a server on this machine may have.
	TLS          string      `yaml:"tls"`
	User         string      `yaml:"user"`
	PasswordFile string      `yaml:"password-file"`
	CAFile       string      `yaml:"ca-file"`
	From         string      `yaml:"from"`
	Recipients   []Recipient `yaml:"recipients"`
}

// Recipient gets alerts by mail, in their language.
type Recipient struct {
	Name     string `yaml:"name"`
	Address  string `yaml:"address"`
	Language string `yaml:"language"`
	Wanted   `yaml:",inline"`
}

// Broker says how to reach a broker, or whom to post to instead.
type Broker struct {
	Peer `yaml:",inline"`
	// CredentialsFile is a NATS credentials file.
	CredentialsFile string `yaml:"credentials-file"`
}

// Feed publishes the log as CloudEvents: to a subject of NATS JetStream (nats:// or tls://), or by HTTP POST (http:// or
// https://).
type Feed struct {
	Name   string `yaml:"name"`
	Broker `yaml:",inline"`
	// Stream and Subject are those of JetStream; the stream is made where there is none.
	Stream  string `yaml:"stream"`
	Subject string `yaml:"subject"`
}

// Inbox takes action records from a subject of NATS JetStream.
type Inbox struct {
	Name    string `yaml:"name"`
	Broker  `yaml:",inline"`
	Stream  string `yaml:"stream"`
	Subject string `yaml:"subject"`
	// Replies is the subject of what became of each record. It must be of the stream, or of another one.
	Replies string `yaml:"replies"`
	// Institutions are those for which records are taken: who may write to the subject acts for them.
	Institutions []events.Institution `yaml:"institutions"`
}

// ErrSettings is matched by every error of ParseSettings.
var ErrSettings = errors.New("the reactions section can't be used")

// ParseSettings reads the reactions section strictly. The error names what was wrong and what was expected.
func ParseSettings(section *yaml.Node) (Settings, error) {
	var s Settings
	text, err := yaml.Marshal(section)
	if err == nil {
		d := yaml.NewDecoder(strings.NewReader(string(text)))
		d.KnownFields(true)
		if err = inWords(d.Decode(&s)); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return Settings{}, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	return s, nil
}

var (
	unknownSetting = regexp.MustCompile(`line \d+: field (\S+) not found in type \S+`)
	anotherKind    = regexp.MustCompile("line \\d+: cannot unmarshal !!\\w+ (`.*`) into \\S+")
	group          = regexp.MustCompile(`line \d+: cannot unmarshal !!\w+ into \S+`)
)

// inWords says what the YAML decoder found in words of the file, not of this program.
func inWords(err error) error {
	var kinds *yaml.TypeError
	if !errors.As(err, &kinds) {
		return err
	}
	for i, text := range kinds.Errors {
		text = unknownSetting.ReplaceAllString(text, "there is no setting $1")
		text = group.ReplaceAllString(text, "there is a list or a group of settings where a single value is expected, or the other way round")
		kinds.Errors[i] = anotherKind.ReplaceAllString(text, "$1 is not the kind of value that is expected there")
	}
	return errors.New(strings.Join(kinds.Errors, "; "))
}

// Names lists the reactions that are set up, in the file's order.
func (s *Settings) Names() []string {
	var names []string
	s.each(func(_, name string) { names = append(names, name) })
	return names
}

func (s *Settings) each(fn func(channel, name string)) {
	for i := range s.Alertmanagers {
		fn(channelAlertmanager, s.Alertmanagers[i].Name)
	}
	for i := range s.Webhooks {
		fn(channelWebhook, s.Webhooks[i].Name)
	}
	if s.Mail != nil {
		for i := range s.Mail.Recipients {
			fn(channelMail, s.Mail.Recipients[i].Name)
		}
	}
	for i := range s.Feeds {
		fn(channelFeed, s.Feeds[i].Name)
	}
	for i := range s.Inboxes {
		fn(channelInbox, s.Inboxes[i].Name)
	}
}

// The channels, as the metric names them.
const (
	channelAlertmanager = "alertmanager"
	channelWebhook      = "webhook"
	channelMail         = "mail"
	channelFeed         = "feed"
	channelInbox        = "inbox"
)

var (
	goodName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	goodStream  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,60}$`)
	goodSubject = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

// check looks at what the form alone does not say, and fills in what was left out.
func (s *Settings) check() error {
	seen := map[string]bool{}
	var problem error
	wrong := func(at, expected string) {
		if problem == nil {
			problem = fmt.Errorf("%s: expected %s", at, expected)
		}
	}
	s.each(func(channel, name string) {
		if !goodName.MatchString(name) {
			wrong(channel+": name", "small letters, digits and hyphens, such as csw-skopje, at most 40")
		}
		if seen[name] {
			wrong(channel+" "+name+": name", "a name that no other reaction has")
		}
		seen[name] = true
	})
	address := func(at, text string, schemes ...string) {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || !slices.Contains(schemes, u.Scheme) || u.User != nil {
			wrong(at, "an address with "+strings.Join(schemes, ":// or ")+":// and without a password in it")
		}
	}
	file := func(at, path string) {
		if path != "" {
			if _, err := os.Stat(path); err != nil {
				wrong(at, "the name of a file that is there")
			}
		}
	}
	if s.Page = strings.TrimSuffix(s.Page, "/"); len(s.Alertmanagers)+len(s.Webhooks) > 0 || s.Mail != nil {
		address("page", s.Page, "http", "https")
	}
	for d, fallback := range map[*time.Duration]time.Duration{&s.Retry.First: time.Second, &s.Retry.Longest: 5 * time.Minute, &s.Retry.GiveUp: 24 * time.Hour} {
		if *d < 0 {
			wrong("retry", "durations such as 1s, 5m and 24h")
		}
		if *d == 0 {
			*d = fallback
		}
	}
	peer := func(at string, p *Peer, schemes ...string) {
		address(at+": url", p.URL, schemes...)
		file(at+": token-file", p.TokenFile)
		file(at+": ca-file", p.CAFile)
	}
	for i := range s.Alertmanagers {
		a := &s.Alertmanagers[i]
		peer("alertmanager "+a.Name, &a.Peer, "http", "https")
		a.check("alertmanager "+a.Name, wrong)
	}
	for i := range s.Webhooks {
		w := &s.Webhooks[i]
		peer("webhooks "+w.Name, &w.Peer, "http", "https")
		if w.SecretFile == "" {
			wrong("webhooks "+w.Name+": secret-file", "the name of the file with the secret")
		}
		file("webhooks "+w.Name+": secret-file", w.SecretFile)
		w.check("webhooks "+w.Name, wrong)
	}
	if m := s.Mail; m != nil {
		m.check(wrong, file)
	}
	broker := func(at string, b *Broker, stream, subject string, schemes ...string) {
		peer(at, &b.Peer, schemes...)
		file(at+": credentials-file", b.CredentialsFile)
		if strings.HasPrefix(b.URL, "http") {
			return
		}
		if !goodStream.MatchString(stream) {
			wrong(at+": stream", "the name of a JetStream stream, such as TRAGA")
		}
		if !goodSubject.MatchString(subject) {
			wrong(at+": subject", "a subject without wildcards, such as traga.events")
		}
	}
	for i := range s.Feeds {
		broker("feeds "+s.Feeds[i].Name, &s.Feeds[i].Broker, s.Feeds[i].Stream, s.Feeds[i].Subject, "nats", "tls", "http", "https")
	}
	for i := range s.Inboxes {
		in := &s.Inboxes[i]
		broker("inbox "+in.Name, &in.Broker, in.Stream, in.Subject, "nats", "tls")
		if !goodSubject.MatchString(in.Replies) || in.Replies == in.Subject {
			wrong("inbox "+in.Name+": replies", "another subject without wildcards, such as traga.replies")
		}
		if len(in.Institutions) == 0 {
			wrong("inbox "+in.Name+": institutions", "the ids of the institutions that write to it")
		}
	}
	return problem
}

func (w *Wanted) check(at string, wrong func(at, expected string)) {
	for _, j := range w.Jurisdictions {
		if !slices.Contains(events.Jurisdictions(), j) {
			wrong(at+": jurisdictions", "some of AL, BA, ME, MK, RS, XK")
		}
	}
	for _, severity := range w.Severities {
		if _, ok := gravity[severity]; !ok {
			wrong(at+": severities", "some of critical, high, medium")
		}
	}
	for _, state := range w.States {
		if state != DueSoon && state != Overdue {
			wrong(at+": states", "due-soon or overdue, or both")
		}
	}
}

func (m *Mail) check(wrong func(at, expected string), file func(at, path string)) {
	host, port, ok := strings.Cut(m.Server, ":")
	if !ok || host == "" || port == "" {
		wrong("mail: server", "HOST:PORT, such as smtp.example.org:587")
	}
	switch m.TLS {
	case "":
		m.TLS = "starttls"
	case "starttls", "tls":
	case "none":
		if host != "localhost" && host != "127.0.0.1" {
			wrong("mail: tls", "starttls or tls; none is for a server on this machine only")
		}
	default:
		wrong("mail: tls", "starttls, tls or none")
	}
	if (m.User == "") != (m.PasswordFile == "") {
		wrong("mail: password-file", "both user and password-file, or neither")
	}
	file("mail: password-file", m.PasswordFile)
	file("mail: ca-file", m.CAFile)
	if _, err := mail.ParseAddress(m.From); err != nil {
		wrong("mail: from", "a mail address")
	}
	languages := []string{}
	for _, l := range timeline.Languages() {
		languages = append(languages, l.Tag)
	}
	for i := range m.Recipients {
		r := &m.Recipients[i]
		if _, err := mail.ParseAddress(r.Address); err != nil {
			wrong("mail: recipient "+r.Name+": address", "a mail address")
		}
		if r.Language == "sr" {
			r.Language = "sr-Cyrl"
		}
		if !slices.Contains(languages, r.Language) {
			wrong("mail: recipient "+r.Name+": language", "one of "+strings.Join(languages, ", "))
		}
		r.Wanted.check("mail: recipient "+r.Name, wrong)
	}
}

// view is a change as a receiver sees it, and whether it does: an alert that it does not get any more is over for it.
func (w *Wanted) view(c change) (change, bool) {
	now, before := c.Alert.State != Resolved && w.takes(&c.Alert), c.Was != nil && w.takes(c.Was)
	if !before {
		c.Was = nil
	} else if !now {
		c.Alert = *c.Was
		c.Alert.State = Resolved
	}
	return c, now || before
}

func (w *Wanted) takes(a *Alert) bool {
	return has(w.Jurisdictions, a.Jurisdiction) && has(w.Institutions, a.DutyHolder) && has(w.Severities, a.Severity) && has(w.States, a.State)
}

func has[T comparable](list []T, v T) bool { return len(list) == 0 || slices.Contains(list, v) }

// secretIn reads a secret from its file.
func secretIn(path string) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read a secret: %w", err)
	}
	return strings.TrimSpace(string(content)), nil
}
