package esdbtest

import (
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// readPage is how many events the server takes from a stream at once, as the real one does.
const readPage = 32

// reading is one call of Read.
type reading struct {
	call     streams.Streams_ReadServer
	s        *Server
	log      *Log
	behind   uint64
	fault    *Fault
	trailers metadata.MD
	sent     int
	options  *streams.ReadReq_Options
	text     bool // ids as text
	passes   func(*record) bool
}

// Read reads a stream or all of them, to an end or, as a subscription, without one.
func (v *streamsService) Read(req *streams.ReadReq, call streams.Streams_ReadServer) error {
	r := &reading{call: call, s: v.s, options: req.GetOptions()}
	err := r.run()
	if err == nil && r.fault.breaks() {
		err, r.trailers = r.fault.fail(call.Context()), r.fault.Trailers
	}
	switch {
	case r.sent == 0:
		call.SetTrailer(plain(r.trailers))
	case err != nil:
		call.SetTrailer(r.trailers)
	}
	return err
}

func (r *reading) run() (err error) {
	o := r.options
	if err := r.check(); err != nil {
		return err
	}
	c := Call{Method: "Read", Stream: "$all", Backwards: o.ReadDirection == streams.ReadReq_Options_Backwards}
	if o.GetSubscription() != nil {
		c.Method = "Subscribe"
	}
	if s := o.GetStream(); s != nil {
		c.Stream = string(s.GetStreamIdentifier().GetStreamName())
	}
	if r.log, r.behind, r.fault, r.trailers, err = r.s.enter(r.call.Context(), c, false); err != nil {
		return err
	}
	if r.fault != nil && r.fault.Foreign {
		return r.send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{}})
	}
	if r.passes, err = filterOf(o.GetFilter()); err != nil {
		return err
	}
	switch {
	case c.Method == "Subscribe" && o.GetAll() != nil:
		return r.subscribeAll()
	case c.Method == "Subscribe":
		return r.subscribeStream(c.Stream)
	case o.GetAll() != nil:
		return r.readAll()
	}
	return r.readStream(c.Stream)
}

// check refuses what the real server calls no valid combination.
func (r *reading) check() error {
	o := r.options
	none := func(what string) error {
		return status.Error(codes.InvalidArgument, "'None' is not a valid EventStore.Client.Streams.ReadReq+Types+Options+"+what)
	}
	if o.GetStreamOption() == nil {
		return none("StreamOptionOneofCase")
	}
	r.text = o.GetUuidOption().GetString_() != nil
	of := func(v any, names map[string]bool) string {
		for name, is := range names {
			if is {
				return name
			}
		}
		return "None"
	}
	_, noFilter := o.GetFilterOption().(*streams.ReadReq_Options_NoFilter)
	_, counted := o.GetCountOption().(*streams.ReadReq_Options_Count)
	_, all := o.GetStreamOption().(*streams.ReadReq_Options_All)
	stream := of(nil, map[string]bool{"All": all, "Stream": !all})
	count := of(nil, map[string]bool{"Count": counted, "Subscription": o.GetSubscription() != nil})
	filter := of(nil, map[string]bool{"NoFilter": noFilter, "Filter": o.GetFilter() != nil})
	backwards := o.GetReadDirection() == streams.ReadReq_Options_Backwards
	if count == "None" || filter == "None" || !all && filter == "Filter" || count == "Subscription" && backwards {
		return status.Errorf(codes.InvalidArgument, "The combination of (%s, %s, %s, %s) is invalid.", stream, count, o.GetReadDirection(), filter)
	}
	if f := o.GetFilter(); f != nil {
		switch {
		case f.GetFilter() == nil:
			return status.Errorf(codes.InvalidArgument, `'{ "max": %d, "checkpointIntervalMultiplier": %d }' is not a valid EventStore.Client.Streams.ReadReq+Types+Options+Types+FilterOptions`,
				f.GetMax(), f.GetCheckpointIntervalMultiplier())
		case f.GetWindow() == nil:
			return none("Types+FilterOptions+WindowOneofCase")
		case count == "Subscription" && f.GetCheckpointIntervalMultiplier() == 0:
			return thrown()
		}
	}
	if o.GetStream().GetRevision() > math.MaxInt64 || o.GetAll().GetPosition().GetPreparePosition() > o.GetAll().GetPosition().GetCommitPosition() {
		return thrown()
	}
	return nil
}

func filterOf(f *streams.ReadReq_Options_FilterOptions) (func(*record) bool, error) {
	if f == nil {
		return func(*record) bool { return true }, nil
	}
	of, e := func(r *record) string { return r.Stream }, f.GetStreamIdentifier()
	if e == nil {
		of, e = func(r *record) string { return r.Type }, f.GetEventType()
	}
	if len(e.GetPrefix()) > 0 {
		return func(r *record) bool {
			return slices.ContainsFunc(e.GetPrefix(), func(p string) bool { return strings.HasPrefix(of(r), p) })
		}, nil
	}
	x, err := regexp.Compile(e.GetRegex())
	if err != nil {
		return nil, thrown()
	}
	return func(r *record) bool { return x.MatchString(of(r)) }, nil
}

func (r *reading) send(m *streams.ReadResp) error {
	if r.fault.breaks() && r.fault.After > 0 && r.sent >= r.fault.After {
		r.trailers = r.fault.Trailers
		return r.fault.fail(r.call.Context())
	}
	if r.sent == 0 {
		if err := r.call.SendHeader(r.s.headers()); err != nil {
			return err
		}
	}
	r.sent++
	return r.call.Send(m)
}

func (r *reading) event(e *record) error {
	content := "application/octet-stream"
	if e.JSON {
		content = "application/json"
	}
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: e.Position},
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{Id: idOf(e.ID, r.text), StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(e.Stream)},
			StreamRevision: uint64(e.Revision), PreparePosition: e.Position, CommitPosition: e.Position, Data: e.Data, CustomMetadata: e.Metadata,
			Metadata: map[string]string{"type": e.Type, "content-type": content, "created": strconv.FormatInt(e.Created, 10)}},
	}}})
}

func (r *reading) notFound(name string) error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(name)}}}})
}

// edge tells clients that ask for it where a stream begins or ends.
func (r *reading) edge(last bool, revision int64) error {
	if r.options.GetControlOption().GetCompatibility() == 0 {
		return nil
	}
	if last {
		return r.send(&streams.ReadResp{Content: &streams.ReadResp_LastStreamPosition{LastStreamPosition: uint64(revision)}})
	}
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: uint64(revision)}})
}

// visible are the events of a stream that a reader may see: all of them by revision, and the first that still counts.
func (r *reading) visible(name string) (list []*record, first int64, missing bool, err error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	s, deleted := r.log.status(name)
	if deleted {
		r.trailers, err = deletedError(name)
		return nil, 0, false, err
	}
	if s == nil || len(s.events) == 0 || s.deleted {
		return nil, 0, true, nil
	}
	list = s.events
	if r.behind > 0 {
		n, _ := slices.BinarySearchFunc(list, r.behind+1, func(e *record, p uint64) int { return int(int64(e.Position) - int64(p)) })
		list = list[:n]
	}
	return list, s.first(r.log.clock()), len(list) == 0, nil
}

func (r *reading) readStream(name string) error {
	list, first, missing, err := r.visible(name)
	if err != nil {
		return err
	}
	count := int64(min(r.options.GetCount(), math.MaxInt64))
	if count == 0 {
		return status.Error(codes.Unknown, "Unexpected ReadStreamResult: Error")
	}
	if missing {
		return r.notFound(name)
	}
	last := int64(len(list)) - 1
	if r.options.GetReadDirection() == streams.ReadReq_Options_Backwards {
		return r.streamBackwards(list, first, last, count)
	}
	from := int64(0)
	switch v := r.options.GetStream().GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		from = int64(v.Revision)
	case *streams.ReadReq_Options_StreamOptions_End:
		from = last + 1
	}
	for count > 0 {
		page := min(readPage, count)
		end := last
		if from <= math.MaxInt64-page {
			end = min(last, from+page-1)
		}
		switch {
		case from > last:
			if err := r.edge(false, last+1); err != nil {
				return err
			}
			count = 0
		case end < first:
			// Nothing of this page is left; the server says where to go on, and does.
			if err := r.edge(false, first); err != nil {
				return err
			}
			if from = first; first == last+1 { // all have grown too old
				count = 0
			}
		default:
			for from = max(from, first); from <= end; from++ {
				if err := r.event(list[from]); err != nil {
					return err
				}
				count--
			}
			if from > last {
				count = 0
			}
		}
	}
	return r.edge(true, last)
}

func (r *reading) streamBackwards(list []*record, first, last, count int64) error {
	from := last
	switch v := r.options.GetStream().GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		from = min(last, int64(v.Revision))
	case *streams.ReadReq_Options_StreamOptions_Start:
		from = 0
	}
	for ; from >= first && count > 0; from, count = from-1, count-1 {
		if err := r.event(list[from]); err != nil {
			return err
		}
	}
	return r.edge(true, last)
}

// part is the log from a place on, as far as this node shows it. found tells whether a record begins at a position.
func (r *reading) part(from int) []*record {
	end := len(r.log.records)
	if r.behind > 0 {
		end, _ = r.log.at(r.behind + 1)
	}
	return r.log.records[min(from, end):end]
}

// begin finds where in the log to start. A position beyond the end is after everything.
func (r *reading) begin() (place int, exact bool, err error) {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	switch v := r.options.GetAll().GetAllOption().(type) {
	case *streams.ReadReq_Options_AllOptions_Position:
		at := v.Position.GetCommitPosition()
		end := r.log.next
		if r.behind > 0 {
			end = r.behind + 1
		}
		if at >= end {
			return len(r.log.records), false, nil
		}
		i, found := r.log.at(at)
		if !found {
			return 0, false, fmt.Errorf("no record begins at %d", at)
		}
		return i, true, nil
	case *streams.ReadReq_Options_AllOptions_End:
		return len(r.log.records), false, nil
	}
	return 0, false, nil
}

func (r *reading) readAll() error {
	from, _, err := r.begin()
	if err != nil {
		return status.Error(codes.Unknown, "Unexpected ReadAllResult: Error")
	}
	count := r.options.GetCount()
	r.log.mu.Lock()
	var list []*record
	if r.options.GetReadDirection() == streams.ReadReq_Options_Backwards {
		list = slices.Clone(r.part(0))
		list = list[:min(from, len(list))]
		slices.Reverse(list)
	} else {
		list = r.part(from)
	}
	r.log.mu.Unlock()
	for _, e := range list {
		if count == 0 {
			break
		}
		if !r.passes(e) {
			continue
		}
		if err := r.event(e); err != nil {
			return err
		}
		count--
	}
	return nil
}

func (r *reading) confirm() error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()}}})
}

func (r *reading) caughtUp() error {
	return r.send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

// wait returns when the log has grown.
func wait(ctx context.Context, grown <-chan struct{}) error {
	select {
	case <-grown:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

// subscribeStream sends a stream's events after a revision, and then those that come.
func (r *reading) subscribeStream(name string) error {
	list, first, missing, err := r.visible(name)
	if err != nil {
		return err
	}
	if err := r.confirm(); err != nil {
		return err
	}
	next := int64(0)
	caught := false
	switch v := r.options.GetStream().GetRevisionOption().(type) {
	case *streams.ReadReq_Options_StreamOptions_Revision:
		next = int64(v.Revision) + 1
	case *streams.ReadReq_Options_StreamOptions_End:
		next = int64(len(list))
		if missing {
			caught = true
			if err := r.caughtUp(); err != nil {
				return err
			}
		}
	}
	for {
		r.log.mu.Lock()
		grown := r.log.grown
		s, deleted := r.log.status(name)
		if s != nil {
			list, first = s.events, s.first(r.log.clock())
		}
		r.log.mu.Unlock()
		there := s != nil && len(list) > 0 && !s.deleted
		for next = max(next, min(first, int64(len(list)))); there && next < int64(len(list)); next++ {
			if err := r.event(list[next]); err != nil {
				return err
			}
		}
		if there && !caught {
			caught = true
			if err := r.caughtUp(); err != nil {
				return err
			}
		}
		if deleted {
			if s != nil && s.tombstone != nil {
				if err := r.event(s.tombstone); err != nil {
					return err
				}
			}
			r.trailers, err = deletedError(name)
			return err
		}
		if err := wait(r.call.Context(), grown); err != nil {
			return err
		}
	}
}

// subscribeAll sends all events after a position, and then those that come: also such as lie below the position, where
// that was beyond the end. With a filter it tells now and then how far it has come: while catching up, where the page
// just sent began, without its prepare position; live, the place of every so many events.
func (r *reading) subscribeAll() error {
	place, exact, err := r.begin()
	if err != nil {
		return thrown()
	}
	if exact {
		place++ // exclusive
	}
	if err := r.confirm(); err != nil {
		return err
	}
	filter := r.options.GetFilter()
	window := readPage
	if m := filter.GetMax(); m > 0 {
		window = int(m)
	}
	every := int(max(1, filter.GetCheckpointIntervalMultiplier()))
	checkpoint := func(commit, prepare uint64) error {
		return r.send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: commit, PreparePosition: prepare}}})
	}
	var began, sent, live uint64
	caught, pages := false, 0
	for {
		r.log.mu.Lock()
		grown := r.log.grown
		list := r.part(place)
		r.log.mu.Unlock()
		for len(list) > 0 {
			page := list[:min(window, len(list))]
			list, place = list[len(page):], place+len(page)
			sent = 0
			for _, e := range page {
				if r.passes(e) {
					sent = e.Position
					if err := r.event(e); err != nil {
						return err
					}
				}
				if live++; caught && filter != nil && live%uint64(window*every) == 0 {
					if err := checkpoint(e.Position, e.Position); err != nil {
						return err
					}
				}
			}
			if pages++; !caught && filter != nil && len(page) == window && pages%every == 0 {
				commit, prepare := began, uint64(0)
				if sent > 0 {
					commit, prepare = sent, sent
				}
				if err := checkpoint(commit, prepare); err != nil {
					return err
				}
			}
			began = page[len(page)-1].Position
		}
		if !caught {
			caught, live = true, 0
			if err := r.caughtUp(); err != nil {
				return err
			}
		}
		if err := wait(r.call.Context(), grown); err != nil {
			return err
		}
	}
}
