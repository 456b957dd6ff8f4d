package web

import (
	"context"
	"net/http"

	"traga.internal/handlers/consult"
	"traga.internal/projections/obligations"
)

// alert leads from an alert's opaque address, which alerts sent elsewhere carry, to the case that it is about. An alert
// that no longer stands has nothing to lead to, nor has one of a case that is not open to the reader. What they may see of the
// case is the case's page to decide.
func (s *site) alert(ctx context.Context, p *page) error {
	id := p.request.PathValue("id")
	look, err := s.desk.List(ctx, "alert", consult.Reason{})
	if err != nil {
		return err
	}
	list, _, err := s.lists.Alerts(ctx, obligations.Query{Only: look.Only, Now: p.now})
	if err != nil {
		return err
	}
	for i := range list {
		if obligations.AlertID(list[i].Case, list[i].Obligation).String() == id {
			p.leadTo = p.Case(list[i].Case) + "#duties"
			return nil
		}
	}
	return &failure{status: http.StatusNotFound, message: "error.no-alert"}
}
