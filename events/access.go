package events

// The events of the access log.

// CaseConsulted says who looked at a case, and why (HR02).
type CaseConsulted struct {
	View          string   `json:"view"`
	Justification string   `json:"justification"`
	Policy        []string `json:"policy"`
}

// AccessDenied says who was refused a look.
type AccessDenied struct {
	View   string   `json:"view"`
	Policy []string `json:"policy"`
}

// ExportProduced says who took data out, and for whom (HR02).
type ExportProduced struct {
	Format        string `json:"format"`
	Recipient     string `json:"recipient"`
	Justification string `json:"justification"`
	Digest        string `json:"digest"`
}
