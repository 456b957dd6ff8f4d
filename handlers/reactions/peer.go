package reactions

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

// client posts to one peer.
type client struct {
	url   string
	token string
	http  *http.Client
}

// newClient makes the client for a peer. It follows no redirect: what is told is told to the address that was set up.
func newClient(p *Peer, path string) (*client, error) {
	c := &client{url: strings.TrimSuffix(p.URL, "/") + path}
	roots, err := rootsIn(p.CAFile)
	if err == nil && p.TokenFile != "" {
		c.token, err = secretIn(p.TokenFile)
	}
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxConnsPerHost = 2
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	c.http = &http.Client{Timeout: 20 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// post posts a body and reads no more of the answer than its status.
func (c *client) post(ctx context.Context, header http.Header, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return never("the address can't be used")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "traga")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return later("%s", reach(err))
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	switch {
	case res.StatusCode < 300:
		return nil
	case res.StatusCode >= 500, res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusRequestTimeout,
		res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusNotFound:
		// The last three are how a peer looks that is being set up or moved: someone mends it, and then it takes the message.
		return later("the peer answered %s", res.Status)
	}
	return never("the peer answered %s", res.Status)
}

// reach says why a peer could not be reached, without its address: that may hold more than the operator's name for it.
func reach(err error) string {
	var dns *net.DNSError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the peer does not answer: connection refused"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "the peer did not answer in time"
	case errors.As(err, &dns):
		return "the peer's name is not known to the DNS"
	case strings.Contains(err.Error(), "x509:"):
		return "the peer's certificate is not trusted"
	}
	return "the peer can't be reached"
}
