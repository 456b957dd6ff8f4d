package events

import (
	"testing"
	"time"
)

func TestDateKnowsItsWeekdayAndItsText(t *testing.T) {
	for d := DateOf(1969, 12, 25); d < DateOf(2040, 1, 1); d++ {
		y, m, day := d.Civil()
		if want := time.Date(y, m, day, 0, 0, 0, 0, time.UTC).Weekday(); d.Weekday() != want {
			t.Fatalf("%v is a %v, not a %v", d, want, d.Weekday())
		}
		if back, err := ParseDate(d.String()); err != nil || back != d {
			t.Fatalf("%v reads back as %v, %v", d, back, err)
		}
	}
}

func TestDateRefusesDaysThatDoNotExist(t *testing.T) {
	for _, s := range []string{"", "2026-02-30", "2026-2-3", "2026-13-01", "20260203", "1899-12-31", "2200-01-01", "2026-02-03T00:00:00Z", " 2026-02-03"} {
		if d, err := ParseDate(s); err == nil {
			t.Errorf("%q was read as %v", s, d)
		}
	}
}

func TestAddMonthsClampsToTheLastDay(t *testing.T) {
	for _, c := range []struct {
		from string
		n    int
		want string
	}{{"2026-03-31", 1, "2026-04-30"}, {"2028-02-29", -12, "2027-02-28"}, {"2026-01-31", 1, "2026-02-28"}, {"2026-08-31", -6, "2026-02-28"}, {"2026-12-15", 6, "2027-06-15"}} {
		d, _ := ParseDate(c.from)
		if got := d.AddMonths(c.n).String(); got != c.want {
			t.Errorf("%s + %d months = %s, want %s", c.from, c.n, got, c.want)
		}
	}
}
