package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"bootllama/internal/flags"
)

// RunTerminal holds the session on a terminal. It ends when the person leaves it, at the end of
// input, and when ctx is done. None of these is an error.
func (s *Session) RunTerminal(ctx context.Context, t *Terminal) error {
	restore, err := t.Raw()
	if err != nil {
		return err
	}
	defer restore()
	const bracketedPaste = "\x1b[?2004"
	if err := t.put(bracketedPaste + "h"); err != nil {
		return err
	}
	t.editor.complete = s.complete
	stop := s.interruptsAreKeys(t)
	err = s.sit(ctx, t)
	stop()
	t.editor.complete = nil
	if e := t.put(bracketedPaste + "l"); err == nil {
		err = e
	}
	return err
}

// interruptsAreKeys makes Ctrl-C of each interrupt, until stop is called.
func (s *Session) interruptsAreKeys(t *Terminal) (stop func()) {
	interrupts, end := s.Interrupt, make(chan struct{})
	s.Interrupt = nil
	go func() {
		for {
			select {
			case <-interrupts:
				t.Keys.add([]Key{{Rune: 'c', Mod: Ctrl}})
			case <-end:
				return
			}
		}
	}()
	return func() {
		close(end)
		s.Interrupt = interrupts
	}
}

// sit is RunTerminal on a terminal that is in raw mode.
func (s *Session) sit(ctx context.Context, t *Terminal) error {
	if err := s.greet(t); err != nil {
		return err
	}
	if s.First != nil {
		err := t.say(stylePerson, "%s%s", Prompt, *s.First)
		if err == nil {
			err = s.reply(ctx, t, func(ctx context.Context) error { return s.first(ctx, t) })
		}
		if err != nil {
			return err
		}
	}
	for {
		text, err := t.edit(ctx, Prompt)
		switch {
		case err == errDropped && text == "":
			err = t.say(styleDim, "Ctrl-D or /quit leaves.")
		case err == errDropped:
			err = nil
		case err == nil:
			err = s.line(ctx, t, text)
		}
		switch {
		case err == io.EOF || err == errQuit:
			return nil
		case err != nil:
			return err
		}
	}
}

// greet says what the person talks with.
func (s *Session) greet(t *Terminal) error {
	text := s.Title + " · /help lists the commands"
	if s.Hint != "" {
		text += "\n" + s.Hint
	}
	return t.say(styleDim, "%s", text)
}

// line does what the person has typed: a command, or something that the model answers.
func (s *Session) line(ctx context.Context, t *Terminal, text string) error {
	word := strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(word, "//"):
		text = strings.Replace(text, "//", "/", 1)
	case strings.HasPrefix(word, "/") && !strings.Contains(word, "\n"):
		return s.command(ctx, t, word)
	}
	switch strings.ToLower(word) {
	case "help":
		return t.say(styleDim, "/help lists the commands. What begins with no slash is for the model.")
	case "quit", "exit":
		return t.say(styleDim, "/quit leaves, and so does Ctrl-D.")
	}
	return s.reply(ctx, t, func(ctx context.Context) error { return s.Engine.Reply(ctx, t, text) })
}

// reply lets the model answer, until Ctrl-C, and says how fast it was.
func (s *Session) reply(ctx context.Context, t *Terminal, f func(ctx context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.Keys.Interrupts(cancel)
	err := s.answer(ctx, f)
	t.Keys.Interrupts(nil)
	stats := s.Engine.Stats()
	switch {
	case errors.As(err, new(Unreadable)):
		return t.say(styleError, unreadable, err)
	case err != nil || stats.Size == 0:
		return err
	}
	speed, passes := "", ""
	if stats.Tokens > 0 { // none is known of a single token
		speed = twoFigures(float64(stats.Tokens)/max(stats.Elapsed, 1).Seconds()) + " tok/s · "
	}
	if per := float64(stats.Tokens) / float64(max(stats.Passes, 1)); stats.Passes > 0 && per >= 1.05 {
		passes = " · " + twoFigures(per) + " tokens a pass"
	}
	return t.say(styleDim, "%scontext %d of %d%s", speed, stats.Used, stats.Size, passes)
}

// twoFigures writes a number with two significant figures.
func twoFigures(v float64) string {
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', 1, 64), 64) // of what FormatFloat wrote
	decimals := 0
	for limit := 10.0; decimals < 2 && rounded < limit; limit /= 10 {
		decimals++
	}
	return strconv.FormatFloat(rounded, 'f', decimals, 64)
}

// errQuit ends the session.
var errQuit = errors.New("the person leaves")

// command is a word that begins with a slash.
type command struct {
	name, operand, help string
	run                 func(s *Session, ctx context.Context, t *Terminal, operand string) error
}

func commands() []command {
	return []command{
		{"/help", "", "this list", (*Session).help},
		{"/set", "[NAME VALUE]", "how the model answers; alone, what may be set", (*Session).set},
		{"/show", "", "the model, and what is set", (*Session).show},
		{"/model", "[NAME]", "change the model; alone, the models that there are", (*Session).model},
		{"/clear", "", "begin anew: the model forgets all that was said", (*Session).clear},
		{"/again", "", "the last answer anew, with other random numbers", (*Session).again},
		{"/save", "[FILE]", "write the conversation to a file", (*Session).save},
		{"/off", "", "switch the machine off", func(s *Session, _ context.Context, t *Terminal, _ string) error { return s.power(t, false) }},
		{"/reboot", "", "start the machine anew", func(s *Session, _ context.Context, t *Terminal, _ string) error { return s.power(t, true) }},
		{"/quit", "", "leave", func(*Session, context.Context, *Terminal, string) error { return errQuit }},
	}
}

// command does a command.
func (s *Session) command(ctx context.Context, t *Terminal, line string) error {
	word, operand, _ := strings.Cut(line, " ")
	operand = strings.TrimSpace(operand)
	var names []string
	nearest := ""
	for _, c := range commands() {
		if c.name == word {
			if c.operand == "" && operand != "" {
				return t.say(styleError, "%s takes nothing behind it.", word)
			}
			return c.run(s, ctx, t, operand)
		}
		if names = append(names, c.name); nearest == "" && word != "/" && strings.HasPrefix(c.name, strings.ToLower(word)) {
			nearest = c.name
		}
	}
	if nearest == "" {
		nearest = flags.Nearest(word, names)
	}
	if nearest == "" {
		return t.say(styleError, "There is no command %s: /help lists them. (What begins with // is said with one slash.)", word)
	}
	return t.say(styleError, "There is no command %s. Did you mean %s?", word, nearest)
}

// complete returns what a text that begins as a command may become.
func (s *Session) complete(text string) (all []string) {
	add := func(s string) {
		if strings.HasPrefix(s, text) {
			all = append(all, s)
		}
	}
	for _, c := range commands() {
		if c.operand != "" {
			c.name += " "
		}
		if text != "" {
			add(c.name)
		}
	}
	if strings.HasPrefix(text, "/set ") {
		for _, v := range s.Settings {
			add("/set " + v.Name + " ")
		}
	}
	if strings.HasPrefix(text, "/model ") && s.Models != nil {
		models, _ := s.Models() // without them there is nothing to complete
		for _, m := range models {
			add("/model " + m.Name)
		}
	}
	return all
}

func (s *Session) help(_ context.Context, t *Terminal, _ string) error {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-19s %s\n", c.name+" "+c.operand, c.help)
	}
	if err := t.list(22, "%s", b.String()); err != nil {
		return err
	}
	return t.say(styleNone, "Enter sends what you type; a line that ends in \\ goes on, and \"\"\" begins and ends several lines. "+
		"Ctrl-C stops an answer, or drops the line. Up and Down bring back earlier lines, Tab completes commands, Ctrl-L clears the screen.")
}

func (s *Session) set(_ context.Context, t *Terminal, operand string) error {
	if operand == "" {
		return t.list(18, "%s", s.settings(true))
	}
	name, value, given := strings.Cut(operand, " ")
	if n, v, ok := strings.Cut(name, "="); ok { // as in LLAMA.TXT
		name, value, given = n, v+" "+value, true
	}
	value = strings.TrimPrefix(strings.TrimSpace(value), "= ")
	if value == `""` {
		value = ""
	}
	for _, v := range s.Settings {
		if v.Name != name {
			continue
		}
		if given {
			if err := v.Set(value); err != nil {
				return t.say(styleError, "%s %s: %v.", name, value, err)
			}
		}
		return t.say(styleDim, "%s is %s", name, shownValue(v))
	}
	return t.say(styleError, "There is no setting %s. %s", name, s.names())
}

// names lists the settings.
func (s *Session) names() string {
	var names []string
	for _, v := range s.Settings {
		names = append(names, v.Name)
	}
	if names == nil {
		return "This model has none."
	}
	return "There are: " + strings.Join(names, ", ") + "."
}

// settings lists the settings and their values.
func (s *Session) settings(help bool) string {
	var b strings.Builder
	for _, v := range s.Settings {
		if fmt.Fprintf(&b, "  %-15s %s", v.Name, shownValue(v)); help {
			fmt.Fprintf(&b, "\n  %-15s %s", "", v.Help)
		}
		b.WriteString("\n")
	}
	if b.Len() == 0 {
		return "There is nothing to set."
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func shownValue(v Setting) string {
	if s := v.Value(); s != "" {
		return s
	}
	return `""`
}

func (s *Session) show(_ context.Context, t *Terminal, _ string) error {
	facts := s.Title
	if s.Facts != nil {
		facts = s.Facts()
	}
	return t.list(18, "%s\n%s", strings.TrimSuffix(facts, "\n"), s.settings(false))
}

func (s *Session) clear(_ context.Context, t *Terminal, _ string) error {
	if err := s.Engine.Clear(); err != nil {
		return t.say(styleError, "%v.", err)
	}
	return t.say(styleDim, "A new conversation.")
}

func (s *Session) again(ctx context.Context, t *Terminal, _ string) error {
	err := s.reply(ctx, t, func(ctx context.Context) error { return s.Engine.Again(ctx, t) })
	if errors.Is(err, ErrNothing) {
		return t.say(styleError, "There is no answer yet that could be given again.")
	}
	return err
}

func (s *Session) model(_ context.Context, t *Terminal, operand string) error {
	if s.Models == nil || s.Load == nil {
		return t.say(styleError, "Models cannot be changed here.")
	}
	models, err := s.Models()
	if err != nil {
		return t.say(styleError, "%v.", err)
	}
	if operand == "" {
		return s.listModels(t, models)
	}
	number, _ := strconv.Atoi(operand)
	for i, m := range models {
		if number != i+1 && m.Name != operand && m.Path != operand {
			continue
		}
		if m.Reason != "" {
			return t.say(styleError, "%s: %s.", m.Name, m.Reason)
		}
		talk, err := s.Load(m.Path)
		if talk.Engine != nil {
			s.Talk = talk
		}
		if err != nil {
			return t.say(styleError, "%v.", err)
		}
		return s.greet(t)
	}
	return t.say(styleError, "There is no model %s: /model lists them.", operand)
}

func (s *Session) listModels(t *Terminal, models []Model) error {
	for i, m := range models {
		style, line := styleNone, fmt.Sprintf("%3d  %s", i+1, m.Name)
		if m.Kind != "" {
			line += " · " + m.Kind
		}
		line += fmt.Sprintf(" · %s, needs %s", Size(m.Size), Memory(m.Need))
		if m.Reason != "" {
			style, line = styleDim, line+" · "+m.Reason
		}
		if err := t.say(style, "%s", line); err != nil {
			return err
		}
	}
	if len(models) == 0 {
		return t.say(styleDim, "There are no models.")
	}
	return t.say(styleDim, "/model and a number or name changes to it. The conversation then begins anew.")
}

func (s *Session) save(_ context.Context, t *Terminal, operand string) error {
	if s.Save == nil {
		return t.say(styleError, "Nothing can be saved here.")
	}
	said := s.Engine.Said()
	if len(said) == 0 {
		return t.say(styleError, "There is nothing to save yet.")
	}
	name, err := s.Save(operand, Transcript(s.Title, time.Now(), said))
	if err != nil {
		return t.say(styleError, "%v.", err)
	}
	return t.say(styleDim, "Saved as %s.", name)
}

// TranscriptBegin is how a Transcript begins.
const TranscriptBegin = "# bootllama: "

// Transcript returns a conversation as text: what the person has said stands behind "> ".
func Transcript(title string, now time.Time, said []Message) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\n# %s\n", TranscriptBegin, strings.ReplaceAll(title, "\n", " "), now.Format("2006-01-02 15:04"))
	for _, m := range said {
		text := strings.TrimRight(m.Text, "\n")
		if m.Person {
			text = Prompt + strings.ReplaceAll(text, "\n", "\n"+Prompt)
		}
		fmt.Fprintf(&b, "\n%s\n", text)
	}
	return b.String()
}

func (s *Session) power(t *Terminal, reboot bool) error {
	if s.Power == nil {
		return t.say(styleError, "That is for the bare machine. /quit leaves.")
	}
	// There is firmware that waits for ever instead: QEMU's U-Boot 2023.01 has no way to switch itself off.
	doing := "Switching off. If the machine stays on, use its button."
	if reboot {
		doing = "Starting anew."
	}
	if err := t.say(styleDim, "%s", doing); err != nil {
		return err
	}
	if err := s.Power(reboot); err != nil {
		return t.say(styleError, "%v.", err)
	}
	return errQuit
}
