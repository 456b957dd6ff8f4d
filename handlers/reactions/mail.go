package reactions

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/wneessen/go-mail"
)

// postman sends mail through one server.
type postman struct {
	r       *Reactions
	m       *Mail
	host    string
	options []mail.Option
}

func newPostman(r *Reactions, m *Mail) (*postman, error) {
	host, portText, err := net.SplitHostPort(m.Server)
	port, err2 := strconv.Atoi(portText)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("%w: mail: server: expected HOST:PORT", ErrSettings)
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if config.RootCAs, err = rootsIn(m.CAFile); err != nil {
		return nil, fmt.Errorf("mail: %w", err)
	}
	p := &postman{r: r, m: m, host: host, options: []mail.Option{mail.WithPort(port), mail.WithTimeout(20 * time.Second), mail.WithTLSConfig(config)}}
	switch m.TLS {
	case "tls":
		p.options = append(p.options, mail.WithSSL())
	case "none":
		p.options = append(p.options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		p.options = append(p.options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.User != "" {
		password, err := secretIn(m.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("mail: %w", err)
		}
		p.options = append(p.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.User), mail.WithPassword(password))
	}
	return p, nil
}

// rootsIn reads the certificates of a file; nil, which means the system's, where none is named.
func rootsIn(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%w: ca-file: expected certificates in PEM form", ErrSettings)
	}
	return pool, nil
}

func (p *postman) send(ctx context.Context, m *message.Message, to *Recipient) error {
	list, at, err := p.r.present(ctx, m, &to.Wanted)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errNothing
	}
	book, err := p.r.c.Book(ctx)
	if err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	subject, body := letter(&p.r.c.Settings, book, to.Language, list, at)
	out := mail.NewMsg(mail.WithEncoding(mail.EncodingQP))
	if errors.Join(out.From(p.m.From), out.To(to.Address)) != nil {
		return never("an address can't be used")
	}
	out.Subject(subject)
	out.SetDateWithValue(at)
	// The same notice to the same recipient has the same Message-ID, by which a mail system knows a repeat.
	_, domain, _ := strings.Cut(strings.Trim(p.m.From, "<> "), "@")
	out.SetMessageIDWithValue(m.UUID + "." + to.Name + "@" + strings.Trim(domain, "> "))
	out.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers to it
	out.SetGenHeader(mail.HeaderContentLang, to.Language)
	out.SetBodyString(mail.TypeTextPlain, body)
	client, err := mail.NewClient(p.host, p.options...)
	if err != nil {
		return never("the settings for mail can't be used")
	}
	return mailFailure(client.DialAndSendWithContext(ctx, out))
}

// mailFailure says what a server answered, never its text: that repeats addresses.
func mailFailure(err error) error {
	if err == nil {
		return nil
	}
	var refused *mail.SendError
	if !errors.As(err, &refused) {
		if strings.Contains(err.Error(), "AUTH") || strings.Contains(err.Error(), "auth") {
			return later("the mail server does not accept the user and password")
		}
		return later("the mail server: %s", reach(err))
	}
	answer := "the mail server refused the message"
	if code := refused.ErrorCode(); code > 0 {
		answer += fmt.Sprintf(" with code %d %s", code, refused.EnhancedStatusCode())
	}
	if refused.IsTemp() || refused.ErrorCode() < 500 {
		return later("%s", answer)
	}
	return never("%s", answer)
}
