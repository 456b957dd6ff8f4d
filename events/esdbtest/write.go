package esdbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	maxAppend  = 1 << 20  // what one append may hold
	maxMessage = 17 << 20 // what one message may hold
)

type streamsService struct {
	streams.UnimplementedStreamsServer
	s *Server
}

// Append takes options, then events, and answers when the caller has sent all.
func (v *streamsService) Append(call streams.Streams_AppendServer) error {
	resp, trailers, err := v.append(call)
	if err != nil {
		call.SetTrailer(plain(trailers))
		return err
	}
	if err := call.SendHeader(v.s.headers()); err != nil {
		return err
	}
	return call.SendAndClose(resp)
}

func (v *streamsService) append(call streams.Streams_AppendServer) (*streams.AppendResp, metadata.MD, error) {
	ctx := call.Context()
	first, err := call.Recv()
	if errors.Is(err, io.EOF) {
		return nil, nil, thrown()
	}
	if err != nil {
		return nil, nil, err
	}
	options := first.GetOptions()
	if options.GetStreamIdentifier() == nil || len(options.GetStreamIdentifier().GetStreamName()) == 0 {
		return nil, nil, thrown()
	}
	name := string(options.GetStreamIdentifier().GetStreamName())
	expected, err := expectedOf(options.GetExpectedStreamRevision())
	if err != nil {
		return nil, nil, status.Error(codes.InvalidArgument, "'None' is not a valid EventStore.Client.Streams.AppendReq+Types+Options+ExpectedStreamRevisionOneofCase")
	}
	// A caller without a right to is turned away before it has sent its events.
	if err := v.s.allow(Call{Method: "Append", Stream: name}, authorizationOf(ctx), true); err != nil {
		_, _, _, trailers, err := v.s.enter(ctx, Call{Method: "Append", Stream: name}, true)
		return nil, trailers, err
	}
	var list []proposal
	size := 0
	for {
		m, err := call.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if proto.Size(m) > maxMessage {
			return nil, nil, status.Error(codes.ResourceExhausted, "Received message exceeds the maximum configured message size.")
		}
		p, trailers, err := proposalOf(m.GetProposedMessage())
		if err != nil {
			return nil, trailers, err
		}
		list = append(list, p)
		if size += len(p.data) + len(p.meta); size > maxAppend {
			return nil, metadata.Pairs("exception", "maximum-append-size-exceeded", "maximum-append-size", strconv.Itoa(maxAppend)),
				status.Error(codes.InvalidArgument, fmt.Sprintf("Maximum Append Size of %d Exceeded.", maxAppend))
		}
	}
	log, _, fault, trailers, err := v.s.enter(ctx, Call{Method: "Append", Stream: name, Events: len(list)}, true)
	if err != nil {
		return nil, trailers, err
	}
	if fault != nil && fault.Nowhere {
		return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: &streams.AppendResp_Success{
			CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{}, PositionOption: &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}}}}}, nil, nil
	}
	res, err := log.append(name, expected, list)
	if err != nil {
		return nil, nil, status.Error(codes.Unknown, err.Error())
	}
	if fault.breaks() {
		return nil, fault.Trailers, fault.fail(ctx)
	}
	switch res.outcome {
	case streamDeleted:
		trailers, err := deletedError(name)
		return nil, trailers, err
	case wrongVersion:
		return &streams.AppendResp{Result: &streams.AppendResp_WrongExpectedVersion_{WrongExpectedVersion: wrong(expected, res.current)}}, nil, nil
	}
	success := &streams.AppendResp_Success{CurrentRevisionOption: &streams.AppendResp_Success_CurrentRevision{CurrentRevision: uint64(res.revision)},
		PositionOption: &streams.AppendResp_Success_Position{Position: &streams.AppendResp_Position{CommitPosition: res.position, PreparePosition: res.position}}}
	if res.revision < 0 {
		success.CurrentRevisionOption = &streams.AppendResp_Success_NoStream{NoStream: &shared.Empty{}}
	}
	if res.noPosition {
		success.PositionOption = &streams.AppendResp_Success_NoPosition{NoPosition: &shared.Empty{}}
	}
	return &streams.AppendResp{Result: &streams.AppendResp_Success_{Success: success}}, nil, nil
}

func authorizationOf(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("authorization"); len(v) > 0 {
		return v[0]
	}
	return ""
}

func proposalOf(m *streams.AppendReq_ProposedMessage) (proposal, metadata.MD, error) {
	id, err := parseID(m.GetId())
	if err != nil {
		return proposal{}, nil, thrown()
	}
	p := proposal{id: id, data: m.GetData(), meta: m.GetCustomMetadata()}
	for _, key := range []string{"type", "content-type"} {
		value, ok := m.GetMetadata()[key]
		if !ok {
			return p, metadata.Pairs("exception", "missing-required-metadata-property", "required-metadata-properties", "type,content-type"),
				status.Error(codes.InvalidArgument, "Required Metadata Property '"+key+"' is missing")
		}
		if key == "type" {
			p.typ = value
		} else {
			p.json = value == "application/json"
		}
	}
	if p.typ == "" {
		return p, nil, thrown()
	}
	return p, nil, nil
}

// expectedOf reads the expectation that appends, deletes and tombstones have in types of their own.
func expectedOf(option any) (int64, error) {
	switch v := option.(type) {
	case *streams.AppendReq_Options_Any, *streams.DeleteReq_Options_Any, *streams.TombstoneReq_Options_Any:
		return expectAny, nil
	case *streams.AppendReq_Options_NoStream, *streams.DeleteReq_Options_NoStream, *streams.TombstoneReq_Options_NoStream:
		return expectNoStream, nil
	case *streams.AppendReq_Options_StreamExists, *streams.DeleteReq_Options_StreamExists, *streams.TombstoneReq_Options_StreamExists:
		return expectExists, nil
	case *streams.AppendReq_Options_Revision:
		return int64(v.Revision), nil
	case *streams.DeleteReq_Options_Revision:
		return int64(v.Revision), nil
	case *streams.TombstoneReq_Options_Revision:
		return int64(v.Revision), nil
	}
	return 0, errors.New("no expectation")
}

// wrong says what was expected and what was found, in the new fields and in those of old clients.
func wrong(expected, current int64) *streams.AppendResp_WrongExpectedVersion {
	w := &streams.AppendResp_WrongExpectedVersion{}
	none := &shared.Empty{}
	if current < 0 {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentNoStream{CurrentNoStream: none}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_NoStream_20_6_0{NoStream_20_6_0: none}
	} else {
		w.CurrentRevisionOption = &streams.AppendResp_WrongExpectedVersion_CurrentRevision{CurrentRevision: uint64(current)}
		w.CurrentRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_CurrentRevision_20_6_0{CurrentRevision_20_6_0: uint64(current)}
	}
	switch expected {
	case expectAny:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedAny{ExpectedAny: none}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_Any_20_6_0{Any_20_6_0: none}
	case expectExists:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedStreamExists{ExpectedStreamExists: none}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_StreamExists_20_6_0{StreamExists_20_6_0: none}
	case expectNoStream:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedNoStream{ExpectedNoStream: none}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: ^uint64(0)}
	default:
		w.ExpectedRevisionOption = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision{ExpectedRevision: uint64(expected)}
		w.ExpectedRevisionOption_20_6_0 = &streams.AppendResp_WrongExpectedVersion_ExpectedRevision_20_6_0{ExpectedRevision_20_6_0: uint64(expected)}
	}
	return w
}

// Delete hides a stream until it is appended to again.
func (v *streamsService) Delete(ctx context.Context, r *streams.DeleteReq) (*streams.DeleteResp, error) {
	name := string(r.GetOptions().GetStreamIdentifier().GetStreamName())
	position, err := v.remove(ctx, "Delete", name, r.GetOptions().GetExpectedStreamRevision(), false)
	if err != nil {
		return nil, err
	}
	return &streams.DeleteResp{PositionOption: &streams.DeleteResp_Position_{Position: &streams.DeleteResp_Position{CommitPosition: position, PreparePosition: position}}}, nil
}

// Tombstone ends a stream for good.
func (v *streamsService) Tombstone(ctx context.Context, r *streams.TombstoneReq) (*streams.TombstoneResp, error) {
	name := string(r.GetOptions().GetStreamIdentifier().GetStreamName())
	position, err := v.remove(ctx, "Tombstone", name, r.GetOptions().GetExpectedStreamRevision(), true)
	if err != nil {
		return nil, err
	}
	return &streams.TombstoneResp{PositionOption: &streams.TombstoneResp_Position_{Position: &streams.TombstoneResp_Position{CommitPosition: position, PreparePosition: position}}}, nil
}

func (v *streamsService) remove(ctx context.Context, method, name string, option any, forGood bool) (uint64, error) {
	position, trailers, err := func() (uint64, metadata.MD, error) {
		expected, err := expectedOf(option)
		if err != nil {
			return 0, nil, status.Error(codes.InvalidArgument, err.Error())
		}
		log, _, _, trailers, err := v.s.enter(ctx, Call{Method: method, Stream: name}, true)
		if err != nil {
			return 0, trailers, err
		}
		res, err := log.remove(name, expected, forGood)
		switch {
		case err != nil:
			return 0, nil, status.Error(codes.Unknown, err.Error())
		case res.outcome == streamDeleted:
			trailers, err := deletedError(name)
			return 0, trailers, err
		case res.outcome == wrongVersion:
			e, a := strconv.FormatInt(expected, 10), strconv.FormatInt(res.current, 10)
			return 0, metadata.Pairs("exception", "wrong-expected-version", "stream-name", name, "expected-version", e, "actual-version", a),
				status.Error(codes.FailedPrecondition, fmt.Sprintf("Delete failed due to WrongExpectedVersion. Stream: %s, Expected version: %s, Actual version: %s", name, e, a))
		}
		return res.position, nil, nil
	}()
	return position, v.s.gave(ctx, trailers, err)
}
