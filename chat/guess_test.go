package chat

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestGuesses: a conversation with guesses, right and wrong ones, has the bytes of one without.
func TestGuesses(t *testing.T) {
	system, first := "", "once"
	saved := 0
	for i := range 120 {
		var alone []int32 // the tokens without guesses
		converse := func(guess func(text []int32, n int) []int) (string, int) {
			c := conversation(t, 40+i%25)
			if i%2 == 0 {
				c.System, c.User = &system, &first
			}
			c.Generator.Sampler = c.Generator.Transformer.NewSampler([]float32{0, 0.8, 1.5}[i%3], 0.9, uint64(i+1))
			c.Generator.Guess = guess
			var out bytes.Buffer
			err := c.Run(context.Background(), strings.NewReader("a\nthe and\n\nan\n"), &out)
			return fmt.Sprintf("%q %v", out.String(), err), c.Generator.Passes
		}
		want, passes := converse(func(text []int32, _ int) []int {
			if len(text) > len(alone) {
				alone = append(alone[:0], text...)
			}
			return nil
		})
		rng := rand.New(rand.NewPCG(1, uint64(i)))
		got, fewer := converse(func(text []int32, n int) (tokens []int) {
			for _, token := range alone[len(text):] {
				if rng.IntN(4) == 0 {
					token = rng.Int32N(300)
				}
				tokens = append(tokens, int(token))
			}
			return append(tokens, 1, 2, 3, -1)
		})
		if saved += passes - fewer; got != want || fewer > passes {
			t.Errorf("case %d: %d passes, without guesses %d:\n%s\n%s", i, fewer, passes, got, want)
		}
	}
	if saved < 120 {
		t.Errorf("%d passes were saved", saved)
	}
}
