package chat

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"bootllama"
	"bootllama/session"
)

// conversation returns a conversation with the random model at temperature 0; the
// user is asked for everything.
func conversation(t *testing.T, steps int) *Conversation {
	t.Helper()
	return &Conversation{Generator: generator(t), Steps: steps}
}

// smallTokenizer returns a tokenizer of the given characters, without byte tokens.
func smallTokenizer(t *testing.T, characters string) *llama.Tokenizer {
	t.Helper()
	return tokenizerOf(t, strings.Split(characters, ""))
}

// tokenizerOf returns a tokenizer of the given pieces, after Unknown, BOS and EOS.
func tokenizerOf(t *testing.T, pieces []string) *llama.Tokenizer {
	t.Helper()
	b := binary.LittleEndian.AppendUint32(nil, 8)
	pieces = append([]string{"<unk>", "<s>", "</s>"}, pieces...)
	for _, piece := range pieces {
		b = append(b, 0, 0, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(piece)))
		b = append(b, piece...)
	}
	tok, err := llama.ReadTokenizer(bytes.NewReader(b), int64(len(b)), "small", len(pieces))
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

const templateCharacters = "[INST] /<>Y\n"

// TestTurn: what the user is asked and what becomes of the lines.
func TestTurn(t *testing.T) {
	empty, given, strange := "", "hi", "é"
	long := strings.Repeat("long ", 400) // run.c's buffers have 512 bytes
	for _, c := range []struct {
		name         string
		system, user *string
		first        bool
		in, out      string
		want         string // the text of the tokens
	}{
		{"the first turn", nil, nil, true, "sys\nuse\n", systemPrompt + userPrompt, "[INST] <<SYS>>\nsys\n<</SYS>>\n\nuse [/INST]"},
		{"no system prompt", nil, nil, true, "\nuse\n", systemPrompt + userPrompt, "[INST] use [/INST]"},
		{"both given", &given, &empty, true, "", "", "[INST] <<SYS>>\nhi\n<</SYS>>\n\n [/INST]"},
		{"the system prompt given, empty", &empty, nil, true, "use\n", userPrompt, "[INST] use [/INST]"},
		{"the user prompt given", nil, &given, true, "sys\n", systemPrompt, "[INST] <<SYS>>\nsys\n<</SYS>>\n\nhi [/INST]"},
		{"a later turn", &given, &given, false, "use\n", userPrompt, "[INST] use [/INST]"},
		{"long lines", nil, nil, true, long + "\n" + long + "\n", systemPrompt + userPrompt, "[INST] <<SYS>>\n" + long + "\n<</SYS>>\n\n" + long + " [/INST]"},
		{"too long a line", nil, nil, false, strings.Repeat("x", 2*maxLine) + "\nuse\n", userPrompt + "That line is longer than 65536 bytes. Try a shorter one.\n" + userPrompt, "[INST] use [/INST]"},
		{"a DOS line, without an end", nil, nil, true, "\r\nuse", systemPrompt + userPrompt, "[INST] use [/INST]"},
		{"no tokens for it", &empty, nil, true, strange + "\nuse\n", userPrompt + "The model cannot read that: the tokenizer has no token for \"\\u00e9\", byte 7 of the text.\n" + userPrompt, "[INST] use [/INST]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			input := session.NewLines(strings.NewReader(c.in), &out, nil)
			defer input.Close()
			tok := smallTokenizer(t, templateCharacters+"useyhilong")
			conv := &Conversation{Generator: &llama.Generator{Tokenizer: tok}, System: c.system, User: c.user}
			tokens, err := conv.ask(context.Background(), input, &out, c.first)
			want, e := tok.Encode(c.want, true, false)
			if err != nil || e != nil || !slices.Equal(tokens, want) || out.String() != c.out {
				t.Errorf("%v, %v, output %q, tokens %v, want %q, %v", err, e, out.String(), tokens, c.out, want)
			}
		})
	}
}

// TestNoTemplate: a vocabulary without the template's characters is an error
// before anybody is asked; so is one without those of the given prompts.
func TestNoTemplate(t *testing.T) {
	strange := "é"
	for _, c := range []struct {
		name, characters string
		user             *string
		want             string
	}{
		{"template", "[IN] /", nil, `prompt in Llama 2's chat template: the tokenizer has no token for "S", byte 3 of the text`},
		{"prompt", templateCharacters, &strange, `prompt in Llama 2's chat template: the tokenizer has no token for "\u00e9", byte 7 of the text`},
	} {
		conv := &Conversation{Generator: &llama.Generator{Tokenizer: smallTokenizer(t, c.characters)}, User: c.user}
		var out strings.Builder
		if err := conv.Run(context.Background(), strings.NewReader("x\n"), &out); err == nil || err.Error() != c.want || out.Len() != 0 {
			t.Errorf("%s: %v, output %q", c.name, err, out.String())
		}
	}
}

// TestEOSInPrompt: EOS in a user's line ends the turn there, as in run.c, although the
// tokens after it have been through the layers with it.
func TestEOSInPrompt(t *testing.T) {
	c := conversation(t, 0)
	config := c.Generator.Transformer.Config
	pieces := append(strings.Split(templateCharacters+"sab", ""), "</", "s>")
	for i := len(pieces) + 3; i < config.VocabSize; i++ {
		pieces = append(pieces, fmt.Sprint("w", i))
	}
	c.Generator.Tokenizer = tokenizerOf(t, pieces)
	system, user := "", "a</s>b"
	c.System, c.User = &system, &user

	g := conversation(t, 0).Generator
	first, err := c.encode("", user)
	second, e := c.encode("", "a")
	at := slices.Index(first, c.Generator.Tokenizer.(*llama.Tokenizer).EOS)
	if err != nil || e != nil || at < 0 {
		t.Fatalf("%v, %v, no EOS in %v", err, e, first)
	}
	want := assistantPrompt + userPrompt + assistantPrompt
	token, next := 0, 0
	heard := append(first[:at+1], second...)
	for pos := range config.SeqLen {
		if token = next; pos < len(heard) {
			token = heard[pos]
		}
		if next = g.Sampler.Sample(g.Transformer.Forward(token, pos)); next == c.Generator.Tokenizer.(*llama.Tokenizer).EOS {
			t.Fatal("the model generates EOS")
		}
		if pos >= len(heard)-1 {
			want += c.Generator.Tokenizer.Decode(token, next)
		}
	}
	var out strings.Builder
	if err := c.Run(context.Background(), strings.NewReader("a\n"), &out); err != nil || out.String() != want+"\n" {
		t.Errorf("%v\n got %q\nwant %q", err, out.String(), want+"\n")
	}
}

// TestTurnThatDoesNotFit: the error says what does not fit, and by how much: the first message, the system prompt with it,
// a later one. One that fits exactly is answered with one token.
func TestTurnThatDoesNotFit(t *testing.T) {
	system, user, long := "", "on", strings.Repeat("x", 80)
	one := conversation(t, 0)
	tokens, err := one.encode("", user)
	if err != nil {
		t.Fatal(err)
	}
	n := len(tokens)
	for _, c := range []struct {
		name         string
		system, user *string
		steps        int
		want         string
	}{
		{"exactly", &system, &user, n, ""},
		{"one too few", &system, &user, n - 1, fmt.Sprintf("what you said has %d tokens with its template, 1 too many: %d of the chat's %d are left (-n; the model's context holds 64)", n, n-1, n-1)},
		{"by the context", &system, &long, 0, "has 97 tokens with its template, 33 too many: 64 of the chat's 64 are left"},
		{"the system prompt", &long, &user, 0, "too many: 64 of the chat's 64 are left"},
	} {
		conv := conversation(t, c.steps)
		conv.System, conv.User = c.system, c.user
		var out strings.Builder
		err := conv.Run(context.Background(), strings.NewReader(""), &out)
		if c.want == "" && (err != nil || len(out.String()) <= len(assistantPrompt)) ||
			c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || out.String() != assistantPrompt+"\n") {
			t.Errorf("%s: %v, %q, want %q", c.name, err, out.String(), c.want)
		}
	}
}

// TestConversationEnds: at the end of input, with a newline, whoever's turn it is.
func TestConversationEnds(t *testing.T) {
	for _, c := range []struct {
		name, in string
		steps    int
		want     string
	}{
		{"at the system prompt", "", 0, systemPrompt + "\n"},
		{"at the user's", "be kind\n", 0, systemPrompt + userPrompt + "\n"},
	} {
		var out strings.Builder
		if err := conversation(t, c.steps).Run(context.Background(), strings.NewReader(c.in), &out); err != nil || out.String() != c.want {
			t.Errorf("%s: %v, %q, want %q", c.name, err, out.String(), c.want)
		}
	}
}

// TestInterruptAssistant: the turn ends with EOS after all that was written, the
// conversation goes on with it in the context, and an interrupt in the user's turn
// ends it although input has not ended.
func TestInterruptAssistant(t *testing.T) {
	const spoken = 5 // pieces before the interrupt
	c := conversation(t, 0)
	first, system := "on", ""
	c.System, c.User = &system, &first

	// head is what there is before the interrupt; rest comes after it, from the
	// model itself, which has heard EOS.
	var head, rest strings.Builder
	g := conversation(t, 0).Generator
	pos := 0
	forward := func(token int) int {
		next := g.Sampler.Sample(g.Transformer.Forward(token, pos))
		if next == g.Tokenizer.(*llama.Tokenizer).EOS {
			t.Fatal("the model says EOS of itself")
		}
		pos++
		return next
	}
	listen := func(line string) (last, next int) {
		tokens, err := c.encode("", line)
		if err != nil {
			t.Fatal(err)
		}
		for _, last = range tokens {
			next = forward(last)
		}
		return last, next
	}
	head.WriteString(assistantPrompt)
	token, next := listen(first)
	for range spoken {
		head.WriteString(g.Tokenizer.Decode(token, next))
		token, next = next, forward(next)
	}
	forward(g.Tokenizer.(*llama.Tokenizer).EOS)
	rest.WriteString("\n" + userPrompt + assistantPrompt)
	token, next = listen("to")
	for pos < g.Transformer.Config.SeqLen {
		rest.WriteString(g.Tokenizer.Decode(token, next))
		token, next = next, forward(next)
	}
	rest.WriteString(g.Tokenizer.Decode(token, next) + "\n")

	for _, leave := range []bool{false, true} {
		interrupt := make(chan os.Signal, 1)
		c.Interrupt = interrupt
		in, keys := io.Pipe()
		var out onWrite
		out.f = func(piece string) {
			switch {
			case out.text.String() == head.String() || piece == userPrompt && leave:
				interrupt <- os.Interrupt
			case piece == userPrompt:
				go io.WriteString(keys, "to\n")
			}
		}
		if err := c.Run(context.Background(), in, &out); err != nil {
			t.Fatal(err)
		}
		keys.Close()
		want := head.String() + rest.String()
		if leave {
			before, _, _ := strings.Cut(want, userPrompt)
			want = before + userPrompt + "\n"
		}
		if got := out.text.String(); got != want {
			t.Errorf("leave %t:\n got %q\nwant %q", leave, got, want)
		}
	}
}

// TestInterruptReading: an interrupt while the prompt goes through the model ends
// the assistant's turn, too.
func TestInterruptReading(t *testing.T) {
	c := conversation(t, 0)
	interrupt := make(chan os.Signal, 1)
	c.Interrupt = interrupt
	out := &onWrite{}
	out.f = func(piece string) {
		if piece == assistantPrompt {
			interrupt <- os.Interrupt
		}
	}
	if err := c.Run(context.Background(), strings.NewReader("be kind\nonce\n"), out); err != nil {
		t.Fatal(err)
	}
	if got := out.text.String(); got != systemPrompt+userPrompt+assistantPrompt+"\n"+userPrompt+"\n" {
		t.Errorf("%q", got)
	}
}

// TestConversationCancelled: it ends when its context does, with a newline.
func TestConversationCancelled(t *testing.T) {
	for _, at := range []string{systemPrompt, userPrompt, assistantPrompt} {
		ctx, cancel := context.WithCancel(context.Background())
		in, keys := io.Pipe()
		out := &onWrite{f: func(text string) {
			if text == at {
				cancel()
			} else if text == systemPrompt || text == userPrompt {
				go io.WriteString(keys, "once\n")
			}
		}}
		if err := conversation(t, 0).Run(ctx, in, out); err != nil || !strings.HasSuffix(out.text.String(), at+"\n") {
			t.Errorf("cancelled at %q: %v, %q", at, err, out.text.String())
		}
		keys.Close()
	}
}

func TestConversationFailures(t *testing.T) {
	if err := conversation(t, 0).Run(context.Background(), iotest.ErrReader(errors.New("broken keyboard")), io.Discard); err == nil || err.Error() != "broken keyboard" {
		t.Errorf("a reader's error: %v", err)
	}
	for n := range 6 {
		w := failing(n)
		if err := conversation(t, 0).Run(context.Background(), strings.NewReader("\non\n"), &w); err == nil || err.Error() != "broken console" {
			t.Errorf("a writer's error at write %d: %v", n, err)
		}
	}
}
