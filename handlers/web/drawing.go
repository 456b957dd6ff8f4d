package web

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"traga.internal/events"
	"traga.internal/projections/timeline"
)

// Measures of the picture, in its own units (pixels at full size).
const (
	gutter   = 128 // for number, date and time
	margin   = 16
	headSize = 78
	// The columns share the width of a wide page, as long as each keeps its least.
	fullWidth, leastWidth, mostWidth = 1134, 108, 250
	rowSize                          = 46
	markSize                         = 18  // more for a row with a line of marks
	bandRows                         = 12  // after so many rows the institutions are named again
	charWidth                        = 6.4 // of a letter, about; and of one in an institution's name
	nameWidth                        = 7.3
)

// drawing is the picture of who shared what with whom, laid out: a column for each institution, a row for each act
// of sharing, downwards in time, an arrow to each recipient. What it shows by colour it also says by shape and words.
type drawing struct {
	Width, Height int
	Columns       []column
	Heads         []int // where the institutions are named
	Rows          []drawnRow
	number        map[uuid.UUID]int // of the row, by event
	failing       map[uuid.UUID][]string
	Failing       bool // some arrow breaks a safeguard; so for the next two
	Recalled      bool
	Late          bool
}

type column struct {
	X, Width int
	Lines    []string
	Role     string
	Name     string // whole
}

// Left is the left edge of the column's name plate.
func (c column) Left() int { return c.X - c.Width/2 + 5 }

// Plate is the width of the name plate.
func (c column) Plate() int { return c.Width - 10 }

type drawnRow struct {
	Number             int
	Event              uuid.UUID
	Y                  int
	Day, Hour          string // Day is empty where it is that of the row above
	From               int    // X of the sender
	Left, Right        int    // of the line
	Tips               []tip
	Loops              bool // within one institution
	Label, Marks       string
	LabelX             int
	Whole              string // all of it in one sentence
	Fails, Calls, Tags bool
}

// tip is an arrow's head at a recipient.
type tip struct {
	X, Y int
	Way  int // 1 to the right, -1 to the left
}

// Points is the triangle of the head.
func (t tip) Points() string {
	return fmt.Sprintf("%d,%d %d,%d %d,%d", t.X-t.Way, t.Y, t.X-t.Way*11, t.Y-5, t.X-t.Way*11, t.Y+5)
}

// draw lays the picture out; nil where nothing was shared.
func (p *page) draw(picture timeline.Picture, known names) *drawing {
	if len(picture.Arrows) == 0 {
		return nil
	}
	d := &drawing{number: map[uuid.UUID]int{}, failing: map[uuid.UUID][]string{}}
	width := min(max((fullWidth-gutter-margin)/len(picture.Lanes), leastWidth), mostWidth)
	for i, l := range picture.Lanes {
		c := column{X: gutter + i*width + width/2, Width: width, Name: known.of(l.Institution, p.Language())}
		c.Lines = wrap(c.Name, int(float64(c.Plate()-8)/nameWidth), 3)
		roles := make([]string, len(l.Roles))
		for i, r := range l.Roles {
			roles[i] = p.Role(r)
		}
		c.Role = clip(strings.Join(roles, ", "), int(float64(c.Plate()-8)/6.2))
		d.Columns = append(d.Columns, c)
	}
	d.Width = gutter + len(picture.Lanes)*width + margin
	y := 0
	day := ""
	for n := 0; n < len(picture.Arrows); {
		end := n + 1 // the recipients of one act come one after the other
		for end < len(picture.Arrows) && picture.Arrows[end].Event == picture.Arrows[n].Event {
			end++
		}
		if len(d.Rows)%bandRows == 0 && (len(d.Rows) == 0 || len(picture.Arrows)-n > bandRows/3) {
			d.Heads = append(d.Heads, y)
			y += headSize
			day = ""
		}
		row := p.drawRow(d, picture.Arrows[n:end], y)
		if row.Day == day {
			row.Day = ""
		} else {
			day = row.Day
		}
		d.Rows = append(d.Rows, row)
		d.number[row.Event], d.failing[row.Event] = row.Number, picture.Arrows[n].Failing
		if y += rowSize; row.Marks != "" {
			y += markSize
		}
		n = end
	}
	d.Height = y + margin
	return d
}

func (p *page) drawRow(d *drawing, arrows []timeline.Arrow, y int) drawnRow {
	a := arrows[0]
	row := drawnRow{Number: len(d.Rows) + 1, Event: a.Event, Y: y + 30, Day: p.dayText(events.DateIn(a.At, p.zone)), Hour: p.Hour(a.At),
		From: d.Columns[a.From].X}
	row.Left, row.Right = row.From, row.From
	var told []string
	acknowledged := 0
	for _, a := range arrows {
		x := d.Columns[a.To].X
		told = append(told, d.Columns[a.To].Name+" ("+p.Role(a.ToRole)+")")
		if a.AcknowledgedAt != nil {
			acknowledged++
		}
		if a.To == a.From {
			row.Loops = true
			continue
		}
		row.Left, row.Right = min(row.Left, x), max(row.Right, x)
		way := 1
		if x < row.From {
			way = -1
		}
		if t := (tip{x, row.Y, way}); !slices.Contains(row.Tips, t) {
			row.Tips = append(row.Tips, t)
		}
	}
	row.Fails, row.Calls = len(a.Failing) > 0, a.RecalledAt != nil
	var marks []string
	if row.Fails {
		d.Failing = true
		marks = append(marks, "▲ "+p.T("lanes.breaks", strings.Join(a.Failing, ", ")))
	}
	if row.Calls {
		d.Recalled = true
		marks = append(marks, "✕ "+p.T("lanes.recalled", p.dayText(events.DateIn(*a.RecalledAt, p.zone))))
	}
	if a.Late {
		d.Late = true
		marks = append(marks, "◷ "+p.T("mark.late"))
	}
	if a.Corrected {
		marks = append(marks, "✎ "+p.T("mark.corrected"))
	}
	switch {
	case acknowledged == 1 && len(arrows) == 1:
		marks = append(marks, "✓ "+p.T("lanes.acknowledged", p.dayText(events.DateIn(*a.AcknowledgedAt, p.zone))))
	case acknowledged > 0:
		marks = append(marks, "✓ "+p.T("lanes.acknowledged-by", acknowledged, len(arrows)))
	}
	row.Marks = strings.Join(marks, " · ")
	room := float64(max(row.Right-row.Left, 230))
	row.Label = p.someCategories(a.Categories, int(room/charWidth))
	half := int(float64(max(utf8.RuneCountInString(row.Label), utf8.RuneCountInString(row.Marks)))*charWidth/2) + 4
	row.LabelX = (row.Left + row.Right) / 2
	if row.Left == row.Right {
		row.LabelX += half + 24
	}
	row.LabelX = max(gutter+half, min(row.LabelX, d.Width-margin-half))
	row.Whole = p.T("lanes.row", row.Number, p.instantText(a.At), d.Columns[a.From].Name+" ("+p.Role(a.FromRole)+")", strings.Join(told, "; "), p.Categories(a.Categories))
	if row.Marks != "" {
		row.Whole += " " + row.Marks
	}
	return row
}

// someCategories names as many categories as fit, and how many more there are.
func (p *page) someCategories(all []events.Category, fit int) string {
	s := ""
	for i, c := range all {
		next := p.Category(c)
		if i > 0 {
			next = s + ", " + next
		}
		if i > 0 && utf8.RuneCountInString(next) > fit-4 {
			return s + " " + p.T("lanes.more", len(all)-i)
		}
		s = next
	}
	return s
}

// wrap breaks a name into lines of so many letters; what does not fit into the last is cut.
func wrap(s string, width, lines int) []string {
	var out []string
	line := ""
	for _, w := range strings.Fields(s) {
		switch {
		case line == "":
			line = w
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(w) <= width:
			line += " " + w
		default:
			out = append(out, line)
			line = w
		}
	}
	out = append(out, line)
	if len(out) > lines {
		out[lines-1] = strings.Join(out[lines-1:], " ")
		out = out[:lines]
	}
	for i := range out {
		out[i] = clip(out[i], width)
	}
	return out
}

// clip cuts a text to so many letters.
func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return strings.TrimRight(string([]rune(s)[:max(1, width-1)]), " ,") + "…"
}

// shareRow is one share in words: a row of the table under the picture.
type shareRow struct {
	timeline.Share
	Number   int // of the picture's row
	FromName string
	ToName   string
	Failing  []string
}

func (p *page) shareRows(shares []timeline.Share, d *drawing, known names) []shareRow {
	rows := make([]shareRow, len(shares))
	for i, s := range shares {
		rows[i] = shareRow{Share: s, FromName: known.of(s.From.Institution, p.Language()), ToName: known.of(s.To.Institution, p.Language())}
		if d != nil {
			rows[i].Number = d.number[s.Event]
			rows[i].Failing = d.failing[s.Event]
		}
	}
	return rows
}

// Start and End are where the line is drawn: it ends inside the heads.
func (r drawnRow) Start() int {
	if r.Left < r.From {
		return r.Left + 8
	}
	return r.Left
}

func (r drawnRow) End() int {
	if r.Right > r.From {
		return r.Right - 8
	}
	return r.Right
}

// Line is the baseline of a name plate's i-th line.
func (d *drawing) Line(i int) int { return 21 + 14*i }

// Above and Below are the baselines of the day and of the number and hour; LabelY and MarksY those of the words.
func (r drawnRow) Above() int  { return r.Y - 8 }
func (r drawnRow) Below() int  { return r.Y + 7 }
func (r drawnRow) LabelY() int { return r.Y - 9 }
func (r drawnRow) MarksY() int { return r.Y + 18 }

// Loop is the path of an arrow within one institution, LoopTip its head.
func (r drawnRow) Loop() string {
	return fmt.Sprintf("M%d,%d h18 a7,7 0 0 1 7,7 a7,7 0 0 1 -7,7 h-10", r.From, r.Y)
}

func (r drawnRow) LoopTip() string {
	return fmt.Sprintf("%d,%d %d,%d %d,%d", r.From+1, r.Y+14, r.From+11, r.Y+9, r.From+11, r.Y+19)
}
