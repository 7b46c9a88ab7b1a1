package run

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"bootllama"
	"bootllama/assistant"
	"bootllama/chat"
	"bootllama/guess"
	"bootllama/internal/talk"
	"bootllama/sampler"
	"bootllama/session"
	"bootllama/simd"
	"bootllama/stories"
	"bootllama/workers"
)

// loaded is a model, and how it answers.
type loaded struct {
	o          Options
	checkpoint *llama.Checkpoint
	kernels    *simd.Kernels
	generator  *llama.Generator
	draft      *loaded              // nil: no other model guesses,
	guesses    *guess.Draft         // with which it guesses
	assistant  *assistant.Assistant // nil: it holds no conversations in a format of its own
	stories    *stories.Teller      // else
}

// load loads the options' model. For a session, which takes a smaller context where there is not
// enough memory, it is also set how it answers.
func load(o Options, console bool, stderr io.Writer) (*loaded, error) {
	file, err := o.open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	draft, err := o.checkDraft(file.Header)
	if err != nil {
		return nil, err
	}
	if err := file.fit(o.TokenizerFile(), draft, console, stderr); err != nil {
		return nil, err
	}
	m := &loaded{o: o}
	if m.kernels, err = chooseKernels(); err != nil {
		return nil, err
	}
	c, tok, err := file.load(o, stderr)
	if err != nil {
		return nil, err
	}
	m.checkpoint = c
	for _, warning := range c.Warnings {
		if _, err := fmt.Fprintf(stderr, "bootllama: %s: %s\n", c.Name, warning); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	t, err := c.NewTransformer(llama.Options{Threads: cmp.Or(o.Threads, workers.Cores()), Kernels: m.kernels})
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.generator = &llama.Generator{Transformer: t, Tokenizer: tok, Guess: guess.NewLookup(o.guesses()).Guess}
	if o.Draft != "" {
		if err := m.loadDraft(stderr); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	m.setSampler()
	if console || o.Mode == "chat" {
		m.assistant, err = newAssistant(o, m.generator, c.Header, stderr)
	}
	if err == nil && m.assistant != nil {
		err = m.assistant.Clear()
	}
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.stories = &stories.Teller{Generator: m.generator, Steps: o.steps()}
	return m, nil
}

// close frees the model's memory.
func (m *loaded) close() (err error) {
	if m.draft != nil {
		err = m.draft.close()
	}
	if m.generator != nil {
		err = errors.Join(err, m.generator.Transformer.Close())
	}
	return errors.Join(err, m.checkpoint.Close())
}

// setSampler makes the sampler of the options. Its random numbers begin at the seed.
func (m *loaded) setSampler() {
	seed := m.o.Seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t := m.generator.Transformer
	if IsGGUF(m.checkpoint.Header) {
		m.generator.Sampler = m.o.newSampler(t, m.checkpoint.Header, m.kernels, seed)
	} else {
		m.generator.Sampler = m.o.runCSampler(t, seed)
	}
	if m.draft != nil {
		m.setDraftSampler(seed)
	}
}

// session holds a conversation, or a session of stories.
func (h Host) session(ctx context.Context, console bool, m *loaded) error {
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt)
	defer signal.Stop(interrupt)
	held := session.Session{First: m.o.Prompt, Interrupt: interrupt}
	switch {
	case h.Terminal != nil && (console || m.assistant != nil):
		return h.sit(ctx, held, m)
	case m.assistant != nil:
		held.Engine = m.assistant
	case console:
		held.Engine = m.stories
	default:
		c := chat.Conversation{Generator: m.generator, Steps: m.o.steps(), System: m.o.System, User: m.o.Prompt, Interrupt: interrupt}
		return c.Run(ctx, h.Stdin, h.Stdout)
	}
	if console {
		held.Usage = m.usage()
	}
	return held.Run(ctx, h.Stdin, h.Stdout)
}

// usage says how a session goes.
func (m *loaded) usage() string {
	if m.assistant != nil {
		return assistant.Usage
	}
	return stories.Usage
}

// sit holds a session on the terminal.
func (h Host) sit(ctx context.Context, held session.Session, m *loaded) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGHUP) // so that the terminal is restored
	defer stop()
	h.Terminal.Idle = runtime.GC
	h.Terminal.Plain = h.Terminal.Plain || m.o.Plain
	held.Talk, held.Models, held.Power, held.Save = m.talk(), h.Models, h.Power, session.SaveFile
	held.Load = func(path string) (session.Talk, error) {
		err := m.change(path, session.RawLines(h.Stderr))
		m.readsOn(h.Terminal)
		return m.talk(), err
	}
	m.readsOn(h.Terminal)
	return held.RunTerminal(ctx, h.Terminal)
}

// readsOn shows on a terminal how far the model has read.
func (m *loaded) readsOn(t *session.Terminal) {
	if m.assistant != nil {
		m.assistant.Progress = t.Reading()
	}
}

// talk returns the model for a session on a terminal.
func (m *loaded) talk() session.Talk {
	var draft *llama.Checkpoint
	if m.draft != nil {
		draft = m.draft.checkpoint
	}
	return talk.Model{
		Draft: draft, Checkpoint: m.checkpoint, GGUF: IsGGUF(m.checkpoint.Header), Kernels: m.kernels.Name, Threads: cmp.Or(m.o.Threads, workers.Cores()),
		Stories: m.stories, Assistant: m.assistant, Set: m.set,
		Sampling: func() sampler.Options { return m.o.samplerOptions(m.checkpoint.Header) },
		Length: func() int {
			if m.assistant != nil {
				return m.assistant.Steps
			}
			return m.o.steps()
		},
	}.Talk()
}

// set sets an option. The random numbers begin anew at the seed.
func (m *loaded) set(option, value string) error {
	o, fs := m.o, flag.NewFlagSet("", flag.ContinueOnError)
	o.define(fs)
	if err := fs.Set(option, value); err != nil {
		return err
	}
	if m.o, m.stories.Steps = o, o.steps(); m.assistant != nil {
		m.assistant.Steps = max(o.Steps, 0)
	}
	m.setSampler()
	return nil
}

// change loads another model in the place of m, with the options that it can have too. If that
// fails, m is as it was, but for the conversation.
func (m *loaded) change(name string, stderr io.Writer) error {
	before := m.o
	if m.assistant != nil {
		before.System, before.Think = m.assistant.System, m.assistant.Think
	}
	o := before
	o.Model, o.Tokenizer, o.Prompt, o.Think = name, "", nil, false
	if o.Draft != "" { // which may be for the model before
		if _, err := Check(o); err != nil && strings.HasPrefix(err.Error(), "draft ") {
			if _, err := fmt.Fprintf(stderr, "%v\n", err); err != nil {
				return err
			}
			o.Draft = ""
		}
	}
	if !IsGGUFFile(name) {
		o.TopK, o.MinP, o.RepeatPenalty, o.RepeatLastN, o.KV = nil, nil, nil, nil, ""
		if _, err := Check(o); err != nil && name != "" {
			o.Tokenizer = before.Tokenizer // which may be for several models
		}
	}
	if _, err := Check(o); err != nil {
		return err
	}
	if err := m.close(); err != nil {
		return err
	}
	next, err := load(o, true, stderr)
	if err != nil {
		var e error
		if next, e = load(before, true, stderr); e != nil {
			return errors.Join(err, e)
		}
	}
	*m = *next
	return err
}
