package auth

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits allows each key so many acts at once and then so many a second. Safe for concurrent use.
type limits struct {
	each  rate.Limit
	burst int
	mu    sync.Mutex
	by    map[string]*rate.Limiter
}

// maxLimits is how many keys are remembered. Beyond it those that have acted least are forgotten.
const maxLimits = 10_000

func newLimits(each rate.Limit, burst int) *limits {
	return &limits{each: each, burst: burst, by: map[string]*rate.Limiter{}}
}

// allow takes one act of the key, if it has one left.
func (l *limits) allow(key string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.by[key]
	if one == nil {
		if len(l.by) >= maxLimits {
			l.forget(now)
		}
		one = rate.NewLimiter(l.each, l.burst)
		l.by[key] = one
	}
	return one.AllowN(now, 1)
}

// forget lets go of those that have all their acts again; if there are none, of those that have half.
func (l *limits) forget(now time.Time) {
	for _, enough := range []float64{float64(l.burst), float64(l.burst) / 2, 0} {
		for key, one := range l.by {
			if one.TokensAt(now) >= enough {
				delete(l.by, key)
			}
		}
		if len(l.by) < maxLimits {
			return
		}
	}
}

// client is from where a request comes, as far as can be told: its address, of IPv6 the network. Behind a proxy it is
// what the proxy added to X-Forwarded-For: the last there; what comes before it anyone can write.
func client(r *http.Request, behindProxy bool) string {
	text, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		text = r.RemoteAddr
	}
	if list := r.Header.Values("X-Forwarded-For"); behindProxy && len(list) > 0 {
		last := list[len(list)-1]
		text = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return "unknown"
	}
	if address = address.Unmap(); address.Is6() {
		network, _ := address.Prefix(64) // 64 fits
		return network.String()
	}
	return address.String()
}
