// Package metrics counts what traga does, under the names of interfaces.md, for Prometheus. No case number, no
// institution and no person is in any label.
package metrics

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"traga.internal/events"
)

// Lag is how far one projection has come.
type Lag struct {
	Projection string
	Position   uint64
	Events     uint64 // how many events of the log it has not seen yet
}

// Count is a number of obligations.
type Count struct {
	Jurisdiction events.Jurisdiction
	Rule, State  string
	Number       int
}

// Failure is in how many cases a safeguard fails now.
type Failure struct {
	Safeguard    string
	Jurisdiction events.Jurisdiction
	Cases        int
}

// Seals is when the log was last signed and cosigned. A zero SignedAt is never.
type Seals struct {
	SignedAt time.Time
	Lag      int64                // leaves that no checkpoint covers
	Cosigned map[string]time.Time // by the names of the witnesses' keys
}

// Sources are asked each time the metrics are read. A source that fails leaves its metrics out of that reading.
type Sources struct {
	LogSize     func(context.Context) (uint64, error)
	Seals       func(context.Context) (Seals, error)
	Lags        func(context.Context) ([]Lag, error)
	Obligations func(context.Context) ([]Count, error)
	// Failures is asked last: it may need more time than a reading has.
	Failures func(context.Context) ([]Failure, error)
}

// Metrics is the set of metrics of one service. It is safe for concurrent use.
type Metrics struct {
	registry   *prometheus.Registry
	appended   *prometheus.CounterVec
	duration   prometheus.Histogram
	conflicts  prometheus.Counter
	requests   *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
}

// New makes the metrics. Sources may be the zero value.
func New(sources Sources) *Metrics {
	m := &Metrics{
		registry:  prometheus.NewRegistry(),
		appended:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "traga_events_appended_total", Help: "Events stored by this node, by type."}, []string{"type"}),
		duration:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "traga_append_duration_seconds", Help: "Time from deciding on an action to its durable storage.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{Name: "traga_append_conflicts_total", Help: "Appends that found the stream changed by another writer."}),
		requests:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "traga_http_request_duration_seconds", Help: "Time to answer a request, by route and status code.", Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 10)}, []string{"route", "code"}),
	}
	m.deliveries = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "traga_deliveries_total", Help: "Attempts to tell others what happened, by channel and outcome."}, []string{"channel", "outcome"})
	m.registry.MustRegister(m.appended, m.duration, m.conflicts, m.requests, m.deliveries, &reading{sources: sources},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Appended counts a stored event and the time that it took.
func (m *Metrics) Appended(eventType string, took time.Duration) {
	m.appended.WithLabelValues(eventType).Inc()
	m.duration.Observe(took.Seconds())
}

// Conflict counts an append that found its stream changed.
func (m *Metrics) Conflict() { m.conflicts.Inc() }

// Refused is told of refused actions; they have no metric of their own beyond the status codes of requests.
func (m *Metrics) Refused(string) {}

// Delivered counts an attempt to tell others what happened: the channel is alertmanager, webhook, mail, feed or inbox.
func (m *Metrics) Delivered(channel, outcome string) {
	m.deliveries.WithLabelValues(channel, outcome).Inc()
}

// Handler answers GET /metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Observe measures every request to next under the route that it matched, never under its path, which may name a
// case. Live streams are not measured: they last as long as their reader stays.
func (m *Metrics) Observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/stream" {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		s := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(s, r)
		route := r.Pattern
		if route == "" {
			route = "none"
		}
		m.requests.WithLabelValues(route, strconv.Itoa(s.status)).Observe(time.Since(start).Seconds())
	})
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// reading collects what is asked of the sources when the metrics are read.
type reading struct{ sources Sources }

// The metrics that are read from the sources.
func (r *reading) describe() (lag, position, obligations, failures, size, signed, unsigned, cosigned *prometheus.Desc) {
	return prometheus.NewDesc("traga_projection_lag_events", "Events that the projection has not seen yet.", []string{"projection"}, nil),
		prometheus.NewDesc("traga_projection_position", "The position that the projection has reached.", []string{"projection"}, nil),
		prometheus.NewDesc("traga_obligations", "Obligations now, by jurisdiction, rule and state.", []string{"jurisdiction", "rule", "state"}, nil),
		prometheus.NewDesc("traga_safeguard_failures", "Cases in which the safeguard fails now.", []string{"safeguard", "jurisdiction"}, nil),
		prometheus.NewDesc("traga_log_size", "Events in the log.", nil, nil),
		prometheus.NewDesc("traga_checkpoint_timestamp_seconds", "When the latest checkpoint was signed, in seconds since 1970.", nil, nil),
		prometheus.NewDesc("traga_checkpoint_lag_leaves", "Leaves of the ledger that the latest checkpoint does not cover.", nil, nil),
		prometheus.NewDesc("traga_witness_cosigned_timestamp_seconds", "When the witness last cosigned a checkpoint, by its own clock, in seconds since 1970.", []string{"witness"}, nil)
}

// Describe implements prometheus.Collector.
func (r *reading) Describe(ch chan<- *prometheus.Desc) {
	lag, position, obligations, failures, size, signed, unsigned, cosigned := r.describe()
	ch <- signed
	ch <- unsigned
	ch <- cosigned
	ch <- lag
	ch <- position
	ch <- obligations
	ch <- failures
	ch <- size
}

// Collect implements prometheus.Collector.
func (r *reading) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	lag, position, obligations, failures, size, signed, unsigned, cosigned := r.describe()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	if ask := r.sources.LogSize; ask != nil {
		if n, err := ask(ctx); err == nil {
			gauge(size, float64(n))
		}
	}
	if ask := r.sources.Seals; ask != nil {
		if s, err := ask(ctx); err == nil {
			gauge(unsigned, float64(s.Lag))
			if !s.SignedAt.IsZero() {
				gauge(signed, float64(s.SignedAt.UnixMicro())/1e6)
			}
			for witness, at := range s.Cosigned {
				gauge(cosigned, float64(at.Unix()), witness)
			}
		}
	}
	if ask := r.sources.Lags; ask != nil {
		if list, err := ask(ctx); err == nil {
			for _, p := range list {
				gauge(lag, float64(p.Events), p.Projection)
				gauge(position, float64(p.Position), p.Projection)
			}
		}
	}
	if ask := r.sources.Obligations; ask != nil {
		if list, err := ask(ctx); err == nil {
			for _, c := range list {
				gauge(obligations, float64(c.Number), string(c.Jurisdiction), c.Rule, c.State)
			}
		}
	}
	if ask := r.sources.Failures; ask != nil {
		if list, err := ask(ctx); err == nil {
			for _, c := range list {
				gauge(failures, float64(c.Cases), c.Safeguard, string(c.Jurisdiction))
			}
		}
	}
}
