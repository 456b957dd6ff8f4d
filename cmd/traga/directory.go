package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"traga.internal/aggregates/directory"
	"traga.internal/events"
	"traga.internal/handlers/record"
	"traga.internal/projections/registers"
)

func (a *app) directoryCommand() *cobra.Command {
	group := &cobra.Command{Use: "directory", Short: "Who is who: institutions, officers and their training",
		Long: `The directory of a jurisdiction: its institutions, its officers, for which institution and in which role each acts, and
their training in assessment tools. The jurisdiction's directorate keeps it. An officer acts for one institution in
one role at a time; revoked means revoked at once.`}
	group.AddCommand(a.directoryListCommand(), a.directoryInitCommand(), a.directoryRegisterCommand(), a.directoryCloseCommand(),
		a.directoryAppointCommand(), a.directoryRevokeCommand(), a.directoryTrainCommand())
	return group
}

func (a *app) directoryListCommand() *cobra.Command {
	c := &cobra.Command{Use: "list JURISDICTION", Short: "Show the institutions and officers of a jurisdiction", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := jurisdiction(args[0])
			if err != nil {
				return err
			}
			s, err := a.source(cmd)
			if err != nil {
				return err
			}
			v, err := a.directoryOf(cmd.Context(), s, j)
			if err != nil {
				return err
			}
			return a.print(cmd, v, func(w io.Writer) { showDirectory(w, v, s.lang) })
		}}
	a.readingFlags(c)
	return c
}

// directoryOf reads a directory from the server, or from the store of a directory on this machine.
func (a *app) directoryOf(ctx context.Context, s *source, j events.Jurisdiction) (*registers.View, error) {
	if s.server != nil {
		v := &registers.View{}
		_, err := s.fetch(ctx, "/v1/directory/"+string(j), nil, v)
		return v, err
	}
	log, err := s.openLog(ctx)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d, err := registers.New(log).At(ctx, j, s.at)
	if err != nil {
		return nil, err
	}
	last := a.now()
	if p := s.at.Position; p != events.Start { // the asked instant is that of the event there
		page, err := log.ReadAll(ctx, events.At(p.Commit-1), 1, events.Filter{})
		if err != nil {
			return nil, err
		}
		for _, e := range page.Events {
			last = e.RecordedAt
		}
	}
	return registers.ViewOf(j, d, s.at.Clock(last, a.now()))
}

func showDirectory(w io.Writer, v *registers.View, lang string) {
	fmt.Fprintf(w, "%s: institutions\n", jurisdictionName(v.Jurisdiction))
	t := newTable(w, "INSTITUTION", "NAME", "ROLES", "PLACE", "STATE")
	for _, i := range v.Institutions {
		state := "open"
		if !i.Open {
			state = "closed"
		}
		t.row(string(i.Institution), directory.Institution{ID: i.Institution, Names: i.Name}.Name(lang), list(i.Role), i.Place, state)
	}
	t.flush()
	fmt.Fprintln(w, "\nOfficers")
	t = newTable(w, "OFFICER", "INSTITUTION", "ROLE", "STATE", "TRAINING")
	for _, o := range v.Officers {
		state := "acts"
		switch {
		case o.Revoked:
			state = "revoked"
		case o.Institution == "":
			state = "not appointed"
		case !o.Acts:
			state = "does not act"
		}
		var training []string
		for _, in := range o.Training {
			validity := "valid"
			switch {
			case in.ValidUntil != nil && in.Valid:
				validity = "valid until " + in.ValidUntil.String()
			case in.ValidUntil != nil && !in.Valid:
				validity = "ended " + in.ValidUntil.String()
			case !in.Valid:
				validity = "from " + in.On.String()
			}
			training = append(training, strings.TrimSpace(in.Tool+" "+in.ToolVersion)+" ("+validity+")")
		}
		t.row(o.Officer, orDash(string(o.Institution)), orDash(string(o.Role)), state, orDash(strings.Join(training, ", ")))
	}
	t.flush()
	noteKosovo(w, v.Jurisdiction)
}

func list[T ~string](values []T) string {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	return strings.Join(words, ", ")
}

// keeperFlags say who keeps the directory, and where it is.
func (a *app) keeperFlags(c *cobra.Command) {
	a.writingFlags(c)
	c.Flags().String("officer", "", "the id of the directorate's officer who records it")
	c.Flags().String("institution", "", "the directorate (the one that the shipped register begins with)")
}

// keeping is a command under way that records in a directory.
type keeping struct {
	source *source
	j      events.Jurisdiction
	actor  events.Actor
}

func (a *app) keep(cmd *cobra.Command, code string) (*keeping, error) {
	j, err := jurisdiction(code)
	if err != nil {
		return nil, err
	}
	k := &keeping{j: j, actor: events.Actor{Officer: textFlag(cmd, "officer"), Role: events.Directorate, Institution: events.Institution(textFlag(cmd, "institution"))}}
	if k.actor.Officer == "" {
		return nil, usagef("--officer: say which officer of the directorate records it")
	}
	if k.actor.Institution == "" {
		shipped, err := directory.Shipped(j)
		if err != nil {
			return nil, err
		}
		k.actor.Institution = shipped.Directorate()
	}
	k.source, err = a.source(cmd)
	return k, err
}

func textFlag(cmd *cobra.Command, name string) string {
	v, _ := cmd.Flags().GetString(name)
	return strings.TrimSpace(v)
}

// keepEvent records one change through the server or in the store.
func (a *app) keepEvent(ctx context.Context, k *keeping, eventType string, data any) (record.Receipt, error) {
	body, err := json.Marshal(map[string]any{"jurisdiction": k.j, "type": eventType, "actor": k.actor, "data": data})
	if err != nil {
		return record.Receipt{}, err
	}
	return a.recordOne(ctx, k.source, body, record.AnyRevision, "*")
}

// keepOne is a whole command that records one change and says so.
func (a *app) keepOne(cmd *cobra.Command, code, eventType string, data any, done string) error {
	k, err := a.keep(cmd, code)
	if err != nil {
		return err
	}
	receipt, err := a.keepEvent(cmd.Context(), k, eventType, data)
	if err != nil {
		return err
	}
	return a.print(cmd, receipt, func(w io.Writer) {
		fmt.Fprintf(w, "%s, in the directory of %s: revision %d\n", done, jurisdictionName(k.j), receipt.Revision)
		noteKosovo(w, k.j)
	})
}

func (a *app) directoryInitCommand() *cobra.Command {
	c := &cobra.Command{Use: "init JURISDICTION", Short: "Record what is missing of the register that comes with traga", Args: cobra.ExactArgs(1),
		Long: `Records the institutions of the jurisdiction's shipped register that its directory does not know, each as an event.
Doing it again records nothing twice. Local offices (prisons, centres for social work, courts) are then registered with
traga directory register --kind.`,
		Example: "  traga directory init MK --officer v.trajkovska --data ./store",
		RunE: func(cmd *cobra.Command, args []string) error {
			k, err := a.keep(cmd, args[0])
			if err != nil {
				return err
			}
			shipped, err := directory.Shipped(k.j)
			if err != nil {
				return err
			}
			dry, _ := cmd.Flags().GetBool("dry-run")
			known, err := a.directoryOf(cmd.Context(), k.source, k.j)
			if k.source.server == nil && errors.Is(err, errNotFound) { // the first record makes the store
				known, err = &registers.View{}, nil
			}
			if err != nil {
				return err
			}
			missing := shipped.Missing(func(id events.Institution) bool {
				return slices.ContainsFunc(known.Institutions, func(i registers.InstitutionView) bool { return i.Institution == id })
			})
			recorded := []events.Institution{}
			for _, data := range missing {
				if !dry {
					if _, err := a.keepEvent(cmd.Context(), k, "InstitutionRegistered", data); err != nil {
						return fmt.Errorf("%s, after %d others were recorded: %w", data.Institution, len(recorded), err)
					}
				}
				recorded = append(recorded, data.Institution)
			}
			return a.print(cmd, recorded, func(w io.Writer) {
				verb := "recorded"
				if dry {
					verb = "would be recorded"
				}
				fmt.Fprintf(w, "%s: %d of %d institutions %s\n", jurisdictionName(k.j), len(recorded), len(shipped.Institutions), verb)
				for _, id := range recorded {
					fmt.Fprintln(w, "  "+string(id))
				}
				noteKosovo(w, k.j)
			})
		}}
	a.keeperFlags(c)
	c.Flags().Bool("dry-run", false, "say what is missing and record nothing")
	return c
}

func (a *app) directoryRegisterCommand() *cobra.Command {
	c := &cobra.Command{Use: "register JURISDICTION [INSTITUTION]", Short: "Register an institution, or change its name, roles or place", Args: cobra.RangeArgs(1, 2),
		Long: `Registers an institution. With --kind its names and roles come from the jurisdiction's shipped register, and its id
from the kind and the place; else say them. Registering an institution again changes its names, roles and place; what
is left out is then not kept.`,
		Example: `  traga directory register MK --kind csw --place Ohrid --place-name mk=Охрид --place-name sq=Ohër --officer v.trajkovska --data ./store
  traga directory register MK mk-ngo-most --name "en=Association Bridge" --name "mk=Здружение Мост" --role civil-society --place Skopje --officer v.trajkovska --data ./store`,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := jurisdiction(args[0])
			if err != nil {
				return err
			}
			data, err := registration(cmd, j)
			if err != nil {
				return err
			}
			if len(args) == 2 {
				data.Institution = events.Institution(args[1])
			}
			return a.keepOne(cmd, args[0], "InstitutionRegistered", data, "Registered "+string(data.Institution))
		}}
	a.keeperFlags(c)
	c.Flags().String("kind", "", "a kind of local office of the shipped register, such as csw")
	c.Flags().String("place", "", "where it is")
	c.Flags().StringArray("place-name", nil, "the place's name in a language, with --kind, once for each: mk=Охрид")
	c.Flags().StringArray("name", nil, "its name in a language, once for each: en=…")
	c.Flags().StringSlice("role", nil, "the roles in which it acts")
	return c
}

func registration(cmd *cobra.Command, j events.Jurisdiction) (*events.InstitutionRegistered, error) {
	names, err := byLanguage(cmd, "name")
	if err != nil {
		return nil, err
	}
	roles, _ := cmd.Flags().GetStringSlice("role")
	data := &events.InstitutionRegistered{Name: names, Place: textFlag(cmd, "place")}
	for _, r := range roles {
		data.Role = append(data.Role, events.Role(r))
	}
	kind := textFlag(cmd, "kind")
	if kind == "" {
		return data, nil
	}
	if len(names)+len(roles) > 0 {
		return nil, usagef("--kind gives the names and roles; leave out --name and --role")
	}
	shipped, err := directory.Shipped(j)
	if err != nil {
		return nil, err
	}
	office, ok := shipped.Office(kind)
	if !ok {
		var kinds []string
		for _, o := range shipped.Offices {
			kinds = append(kinds, o.Kind)
		}
		return nil, usagef("--kind: %s has %s", jurisdictionName(j), strings.Join(kinds, ", "))
	}
	places, err := byLanguage(cmd, "place-name")
	if err != nil {
		return nil, err
	}
	return office.At(office.ID(j, data.Place), data.Place, places), nil
}

// byLanguage reads a flag that is given once for each language, as mk=Охрид.
func byLanguage(cmd *cobra.Command, flag string) (map[string]string, error) {
	given, _ := cmd.Flags().GetStringArray(flag)
	names := map[string]string{}
	for _, g := range given {
		lang, name, ok := strings.Cut(g, "=")
		if !ok || names[lang] != "" {
			return nil, usagef("--%s: expected a language and a name, once for each language, such as mk=Охрид", flag)
		}
		names[lang] = name
	}
	return names, nil
}

func (a *app) directoryCloseCommand() *cobra.Command {
	c := &cobra.Command{Use: "close JURISDICTION INSTITUTION", Short: "Close an institution; its officers no longer act", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.keepOne(cmd, args[0], "InstitutionClosed", &events.InstitutionClosed{Institution: events.Institution(args[1])}, "Closed "+args[1])
		}}
	a.keeperFlags(c)
	return c
}

func (a *app) directoryAppointCommand() *cobra.Command {
	c := &cobra.Command{Use: "appoint JURISDICTION OFFICER --to INSTITUTION --as ROLE", Short: "Appoint an officer; ends the appointment before", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			data := &events.OfficerAppointed{Officer: args[1], Institution: events.Institution(textFlag(cmd, "to")), Role: events.Role(textFlag(cmd, "as"))}
			return a.keepOne(cmd, args[0], "OfficerAppointed", data, fmt.Sprintf("Appointed %s to %s as %s", args[1], data.Institution, data.Role))
		}}
	a.keeperFlags(c)
	c.Flags().String("to", "", "the institution that the officer acts for")
	c.Flags().String("as", "", "the role that the officer acts in")
	return c
}

func (a *app) directoryRevokeCommand() *cobra.Command {
	c := &cobra.Command{Use: "revoke JURISDICTION OFFICER", Short: "Revoke an officer, at once", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.keepOne(cmd, args[0], "OfficerRevoked", &events.OfficerRevoked{Officer: args[1]}, "Revoked "+args[1])
		}}
	a.keeperFlags(c)
	return c
}

func (a *app) directoryTrainCommand() *cobra.Command {
	c := &cobra.Command{Use: "train JURISDICTION OFFICER --tool TOOL --on DATE", Short: "Record that an officer was trained in an assessment tool", Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			data := &events.OfficerTrained{Officer: args[1], Tool: textFlag(cmd, "tool"), ToolVersion: textFlag(cmd, "tool-version"), Provider: textFlag(cmd, "provider")}
			for name, to := range map[string]*events.Date{"on": &data.On, "valid-until": &data.ValidUntil} {
				text := textFlag(cmd, name)
				if text == "" && name == "valid-until" {
					continue
				}
				d, err := events.ParseDate(text)
				if err != nil {
					return usagef("--%s: %w", name, err)
				}
				*to = d
			}
			return a.keepOne(cmd, args[0], "OfficerTrained", data, fmt.Sprintf("Recorded the training of %s in %s", args[1], data.Tool))
		}}
	a.keeperFlags(c)
	for _, f := range [][2]string{{"tool", "the tool, such as VERA-2R"}, {"tool-version", "its version"}, {"provider", "who gave the training"},
		{"on", "the day on which it was held, YYYY-MM-DD"}, {"valid-until", "the last day on which it counts; without it, for good"}} {
		c.Flags().String(f[0], "", f[1])
	}
	return c
}
