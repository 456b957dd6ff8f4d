package reactions_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// mailbox is a mail server that offers STARTTLS, asks for a password, and keeps what it is given.
type mailbox struct {
	section string

	mu      sync.Mutex
	refuse  *smtp.SMTPError
	letters []letter
}

type letter struct {
	to, text string
	header   mail.Header
}

func newMailbox(t *testing.T, recipients string) *mailbox {
	b := &mailbox{}
	certificate, authority := certify(t)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &session{box: b}, nil }))
	server.Domain, server.TLSConfig = "localhost", &tls.Config{Certificates: []tls.Certificate{certificate}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	b.section = fmt.Sprintf("page: https://traga.example.org\nmail:\n  server: %s\n  user: traga\n  password-file: %s\n  ca-file: %s\n  from: traga@example.org\n  recipients: [%s]\n",
		l.Addr(), file(t, "hush\n"), file(t, string(authority)), recipients)
	return b
}

func (b *mailbox) answer(refuse *smtp.SMTPError) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refuse = refuse
}

func (b *mailbox) got() []letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]letter{}, b.letters...)
}

type session struct {
	box    *mailbox
	signed bool
	to     string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.signed = user == "traga" && password == "hush"; !s.signed {
			return errors.New("wrong")
		}
		return nil
	}), nil
}
func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.signed {
		return smtp.ErrAuthRequired
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	if s.box.refuse != nil {
		return s.box.refuse
	}
	s.to = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	m, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		return err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.letters = append(s.box.letters, letter{s.to, string(text), m.Header})
	return nil
}
func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// certify makes a certificate for 127.0.0.1, and the authority that vouches for it.
func certify(t *testing.T) (tls.Certificate, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Mail goes out in the recipient's language over an authenticated, encrypted connection, and names no case.
func TestMailInTheRecipientsLanguage(t *testing.T) {
	w := newWorld(t)
	b := newMailbox(t, "{name: skopje, address: person@skopje.example, language: mk}, {name: pristina, address: person@pristina.example, language: sq, jurisdictions: [XK]}")
	kosovo := overdue("k", 0)
	kosovo.Jurisdiction = "XK"
	b.answer(&smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "try later, person@skopje.example"})
	w.stand(overdue("notify-csw", 2), kosovo)
	w.start(b.section)
	eventually(t, "the server put both off", func() bool { return w.count("mail", "failed") >= 4 })
	b.answer(nil)
	eventually(t, "both have it", func() bool { return len(b.got()) == 2 })
	for _, l := range b.got() {
		subject, err := new(mime.WordDecoder).DecodeHeader(l.header.Get("Subject"))
		if err != nil || strings.Contains(l.text+subject, secretCase) {
			t.Errorf("%v: %s\n%s", err, subject, l.text)
		}
		want := []string{"Обврски: со изминат рок 2", "известена", "Ескалација: ниво 2", "Косово*", "не ги прејудицира"}
		if l.to == "person@pristina.example" {
			want = []string{"Detyrime: me afat të kaluar 1", "Kosov", "nuk paragjykon", "2 mar 2026"}
		}
		for _, part := range append(want, "https://traga.example.org/alerts/", "mk-prison-idrizovo") {
			if !strings.Contains(subject+"\n"+l.text, part) {
				t.Errorf("the letter to %s lacks %q:\n%s\n%s", l.to, part, subject, l.text)
			}
		}
		if l.header.Get("Auto-Submitted") != "auto-generated" || l.header.Get("Content-Language") == "" || l.header.Get("Message-ID") == "" {
			t.Errorf("header: %v", l.header)
		}
	}
	for _, a := range w.attempts() {
		if a.Outcome == "failed" && a.Detail != "the mail server refused the message with code 451 4.7.1" || strings.Contains(a.Detail, "@") {
			t.Errorf("on record: %+v", a)
		}
	}
}

// An address that is refused for good is parked; the reason names no address.
func TestMailThatIsRefusedIsParked(t *testing.T) {
	w := newWorld(t)
	b := newMailbox(t, "{name: gone, address: person@nowhere.example, language: en}")
	b.answer(&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user person@nowhere.example"})
	w.stand(overdue("notify-csw", 0))
	w.start(b.section)
	eventually(t, "it is parked", func() bool { return len(w.parked()) == 1 })
	if p := w.parked()[0]; p.Reason != "the mail server refused the message with code 550 5.1.1" {
		t.Errorf("parked: %+v", p)
	}
}
