package decoder

// Limits says what holds the children, in words for people.
type Limits struct {
	Has   []string
	Lacks []string // and why, as far as it is known
}

func (l *Limits) has(what string) { l.Has = append(l.Has, what) }

// tried notes what was to be set, by how that went.
func (l *Limits) tried(what string, err error) {
	if err != nil {
		l.Lacks = append(l.Lacks, what+" ("+err.Error()+")")
		return
	}
	l.has(what)
}
