// Package talk is a model as a person sees it in a session: what it is, and what may be set.
package talk

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"bootllama"
	"bootllama/arena"
	"bootllama/assistant"
	"bootllama/sampler"
	"bootllama/session"
)

// Model is a model that is loaded, and how it answers.
type Model struct {
	Checkpoint *llama.Checkpoint
	GGUF       bool   // its sampler is llama.cpp's, or else run.c's
	Kernels    string // their name
	Threads    int
	Draft      *llama.Checkpoint    // guesses; nil: what repeats is guessed
	Stories    session.Engine       // answers,
	Assistant  *assistant.Assistant // unless there is one
	Sampling   func() sampler.Options
	Length     func() int                       // the most tokens of an answer
	Set        func(option, value string) error // sets an option of the command line, by its long name
}

// Talk returns the model for a session.
func (m Model) Talk() session.Talk {
	t := session.Talk{Engine: m.Stories, Title: m.title(), Facts: m.facts, Settings: m.settings(), Hint: "Type how a story begins, or nothing, and press Enter."}
	if m.Assistant != nil {
		t.Engine, t.Hint = m.Assistant, "Say something, and press Enter."
	}
	return t
}

// title says what the model is, in a line.
func (m Model) title() string {
	memory, cores := m.memory(), "1 core"
	if m.Threads != 1 {
		cores = fmt.Sprintf("%d cores", m.Threads)
	}
	return fmt.Sprintf("%s · %s · %d of %d MiB of memory · %s · %s", m.name(), megabytes(m.Checkpoint.Memory().Weights), mib(memory.Total()), arena.Limit()>>20, cores, m.Kernels)
}

// memory is that of the model and, as weights, of its draft.
func (m Model) memory() llama.Memory {
	memory := m.Checkpoint.Memory()
	if m.Draft != nil {
		memory.Weights += m.Draft.Memory().Total() - llama.Overhead
	}
	return memory
}

// name returns what the model calls itself, or else its file's name.
func (m Model) name() string {
	if name := strings.TrimSpace(m.Checkpoint.Texts["general.name"]); name != "" {
		return name
	}
	return filepath.Base(m.Checkpoint.Name)
}

func megabytes(bytes int64) string {
	if bytes < 10e6 {
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%d MB", (bytes+5e5)/1e6)
}

// mib returns a number of bytes in MiB, rounded up.
func mib(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// facts are the lines of /show.
func (m Model) facts() string {
	h := m.Checkpoint.Header
	memory, does, guesses := m.memory(), "stories: what you type is how one begins", "what a text repeats"
	if m.Draft != nil {
		guesses = "what " + filepath.Base(m.Draft.Name) + " says (its memory counts as weights)"
	}
	if m.Assistant != nil {
		does = "a conversation in the format " + m.Assistant.Template.Name
	}
	var b strings.Builder
	for _, f := range [][2]string{
		{"file", h.Name}, {"format", h.Format}, {"shape", h.Config.String()},
		{"memory", fmt.Sprintf("weights %d MiB, keys and values %d, state %d", mib(memory.Weights), mib(memory.Cache), mib(memory.State))},
		{"what it does", does}, {"guesses", guesses},
	} {
		fmt.Fprintf(&b, "  %-15s %s\n", f[0], f[1])
	}
	return m.title() + "\n" + b.String()
}

// settings are what /set may change, in the ranges of the command line's options.
func (m Model) settings() []session.Setting {
	float := func(of func(sampler.Options) float32) func() string {
		return func() string { return strconv.FormatFloat(float64(of(m.Sampling())), 'g', 6, 32) }
	}
	option := func(name, option, help string, value func() string) session.Setting {
		return session.Setting{Name: name, Help: help, Value: value, Set: func(s string) error { return m.Set(option, s) }}
	}
	list := []session.Setting{
		option("temperature", "temperature", "0: always the likeliest token; 1: the model's own distribution; above: wilder",
			float(func(o sampler.Options) float32 { return o.Temperature })),
		option("top-p", "topp", "0 to 1: among the likeliest tokens that have this probability together; 0, 1: all",
			float(func(o sampler.Options) float32 { return o.TopP })),
	}
	if m.GGUF {
		list = append(list,
			option("top-k", "top-k", "among the N likeliest tokens; 0: all", func() string { return strconv.Itoa(m.Sampling().TopK) }),
			option("min-p", "min-p", "0 to 1: among tokens with this share of the likeliest one's probability; 0: all",
				float(func(o sampler.Options) float32 { return o.MinP })),
			option("repeat-penalty", "repeat-penalty", "0.01 to 100: makes recent tokens less likely; 1: not",
				float(func(o sampler.Options) float32 { return o.RepeatPenalty })))
	}
	list = append(list,
		option("seed", "seed", "the same seed, the same text; 0: by the clock", func() string { return strconv.FormatUint(m.Sampling().Seed, 10) }),
		option("length", "steps", "the most tokens of an answer; 0: as many as the context holds", func() string { return strconv.Itoa(m.Length()) }))
	if m.Assistant != nil {
		list = append(list, m.system())
	}
	if m.Assistant != nil && m.Assistant.Template.Switch {
		list = append(list, m.think())
	}
	return list
}

// system is what the model is told before the conversation.
func (m Model) system() session.Setting {
	value := func() string {
		if m.Assistant.System == nil {
			return "what the model's format says"
		}
		return *m.Assistant.System
	}
	return session.Setting{Name: "system", Help: `what the model is told before all else; "": nothing`, Value: value,
		Set: func(s string) error { return m.Assistant.SetSystem(&s) }}
}

// think says whether the model may think before it answers.
func (m Model) think() session.Setting {
	values := map[bool]string{false: "off", true: "on"}
	return session.Setting{Name: "think", Help: "on: the model may think before it answers; off", Value: func() string { return values[m.Assistant.Think] },
		Set: func(s string) error {
			if s != "on" && s != "off" {
				return errors.New("on or off")
			}
			m.Assistant.Think = s == "on"
			return m.Set("think", strconv.FormatBool(m.Assistant.Think)) // other defaults of sampling
		}}
}
