// Package train trains the models that package llama runs: forward and backward pass,
// AdamW, and the state of a training that can be continued.
//
// The result is the same bit for bit on every machine, with every kernel and number of
// threads: all sums are taken in an order that depends on the shape of the model and of the
// batch alone, products are rounded before they are added, and nothing comes from package
// math but square roots. What a training reports, the loss, is no part of that.
package train

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"bootllama"
	"bootllama/simd"
)

// Ignore is the target that does not count in the loss: what follows the end of a text. As
// an input it stands for token 0; causal attention keeps it from what comes before.
const Ignore = 0xFFFF

// lanes is how many parts of a batch have a gradient of their own, to which their sequences
// are added in order; then the parts are added, in order. It bounds the number of threads
// that are of use, and it must not depend on that number.
const lanes = 16

// Options says how to train. All but Threads and Kernels change what comes out.
type Options struct {
	Seed    uint64        // of the first weights
	Steps   int           // of the whole training, which the learning rate follows
	Batch   int           // sequences of seq_len tokens in a step
	Threads int           // goroutines that share the work; 0: GOMAXPROCS
	Kernels *simd.Kernels // nil: the fastest that this processor has

	LearningRate    float64 // after warm-up
	MinLearningRate float64 // after the last step
	Warmup          int     // steps

	WeightDecay  float64 // of matrices, not of rmsnorms
	Beta1, Beta2 float64 // AdamW
	Epsilon      float64 // AdamW
	Clip         float64 // largest norm of the gradient; 0: any
}

// DefaultOptions are llama2.c's (train.py), but for the number of steps.
var DefaultOptions = Options{
	Steps: 6000, Batch: 32,
	LearningRate: 5e-4, Warmup: 100,
	WeightDecay: 0.1, Beta1: 0.9, Beta2: 0.95, Epsilon: 1e-8, Clip: 1,
}

// Trainer is a training: the weights, the moments of AdamW, and how far it has come.
type Trainer struct {
	StepsDone int

	options    Options
	parameters *Parameters
	m, v       *Parameters // moments
	gradient   *Parameters // that of the first lane, in which the others are summed
	lanes      []*Parameters
	blocks     []block
	squares    []float64 // of each block

	packed           *packed
	kernels          *simd.Kernels
	ropeCos, ropeSin []float32 // (seq_len, head_size/2)
	ropeBack         []float32 // -ropeSin: the way back
	states           []*state  // of each thread
	losses           []float64 // of each sequence of a batch
}

// block is a part of the parameters, for one thread at a time.
type block struct {
	from, to int
	matrix   bool
}

// StepResult is what there is to say about a step.
type StepResult struct {
	Loss         float64 // mean cross-entropy of the targets that count, in nats, before the step
	GradNorm     float64 // of the gradient before it is clipped
	LearningRate float64
}

// New returns a training of a model of that shape at its start: weights as Init makes them.
// It allocates all that a training needs. It panics if the shape or an option is impossible.
func New(c llama.Config, o Options) *Trainer {
	p := NewParameters(c)
	p.Init(o.Seed)
	return newTrainer(p, NewParameters(c), NewParameters(c), o)
}

// newTrainer returns a training with these weights and moments.
func newTrainer(p, m, v *Parameters, o Options) *Trainer {
	c := p.Config
	if err := o.Check(); err != nil {
		panic("train: " + err.Error())
	}
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Kernels == nil {
		o.Kernels = simd.Best()
	}
	t := &Trainer{options: o, kernels: o.Kernels, parameters: p, m: m, v: v}
	t.packed = newPacked(t.parameters)
	t.ropeCos, t.ropeSin = rotations(c)
	t.ropeBack = make([]float32, len(t.ropeSin))
	for i, v := range t.ropeSin {
		t.ropeBack[i] = -v
	}
	for range min(lanes, o.Batch) {
		t.lanes = append(t.lanes, NewParameters(c))
	}
	t.gradient = t.lanes[0]
	for range min(o.Threads, len(t.lanes)) {
		t.states = append(t.states, newState(t))
	}
	t.losses = make([]float64, o.Batch)
	at := 0
	for _, kind := range t.parameters.tensors() {
		for end := at + kind.size; at < end; {
			b := block{at, min(at+normBlock, end), kind.matrix}
			t.blocks, at = append(t.blocks, b), b.to
		}
	}
	t.squares = make([]float64, len(t.blocks))
	return t
}

// Check returns an error unless the options make sense.
func (o *Options) Check() error {
	switch {
	case o.Steps < 1 || o.Batch < 1 || o.Warmup < 0:
		return fmt.Errorf("%d steps of %d sequences, %d to warm up: there is nothing to train", o.Steps, o.Batch, o.Warmup)
	case !(o.LearningRate >= 0 && o.MinLearningRate >= 0 && o.WeightDecay >= 0 && o.Epsilon >= 0 && o.Clip >= 0):
		return fmt.Errorf("learning rate %v to %v, weight decay %v, epsilon %v, clip %v: all must be 0 or more",
			o.LearningRate, o.MinLearningRate, o.WeightDecay, o.Epsilon, o.Clip)
	case !(o.Beta1 >= 0 && o.Beta1 < 1 && o.Beta2 >= 0 && o.Beta2 < 1):
		return fmt.Errorf("beta1 %v and beta2 %v must be from 0 to below 1", o.Beta1, o.Beta2)
	}
	return nil
}

// Parameters returns the weights, which the next step changes.
func (t *Trainer) Parameters() *Parameters { return t.parameters }

// Step trains with a batch of tokens, (batch, seq_len+1): those of a sequence but the last
// are the inputs, those but the first the targets. A gradient that is not finite leaves the
// weights as they are, and the result says so.
func (t *Trainer) Step(tokens []uint16) StepResult {
	n := t.checkTokens(tokens)
	if n != t.options.Batch {
		panic(fmt.Sprintf("train: Step with %d sequences, the batch has %d", n, t.options.Batch))
	}
	counted := t.countTargets(tokens)
	if counted == 0 {
		panic("train: Step with no target that counts")
	}
	t.pack()
	t.share(len(t.lanes), func(worker, lane int) {
		from, to := lane*n/len(t.lanes), (lane+1)*n/len(t.lanes)
		for i := from; i < to; i++ {
			s, inputs, targets := t.states[worker], t.inputs(tokens, i), t.targets(tokens, i)
			s.forward(inputs)
			t.losses[i] = s.crossEntropy(targets)
			s.backpropagate(t.lanes[lane], i == from, inputs, targets, counted)
		}
	})
	r := StepResult{GradNorm: t.sumLanes(), LearningRate: t.options.learningRate(t.StepsDone)}
	for _, loss := range t.losses {
		r.Loss += loss / float64(counted)
	}
	if !math.IsNaN(r.GradNorm) && !math.IsInf(r.GradNorm, 0) {
		t.update(r)
	}
	t.StepsDone++
	return r
}

// Loss returns the mean cross-entropy, in nats, of the targets that count in tokens (any
// number of sequences, seq_len+1); 0 if there are none.
func (t *Trainer) Loss(tokens []uint16) float64 {
	n := t.checkTokens(tokens)
	losses := make([]float64, n)
	t.pack()
	t.share(n, func(worker, i int) {
		s := t.states[worker]
		s.forward(t.inputs(tokens, i))
		losses[i] = s.crossEntropy(t.targets(tokens, i))
	})
	sum := 0.0
	for _, loss := range losses {
		sum += loss
	}
	return sum / float64(max(1, t.countTargets(tokens)))
}

// checkTokens returns the number of sequences. It panics unless they are whole and the model
// knows their tokens.
func (t *Trainer) checkTokens(tokens []uint16) int {
	c := t.parameters.Config
	if len(tokens)%(c.SeqLen+1) != 0 {
		panic(fmt.Sprintf("train: %d tokens are no sequences of %d+1", len(tokens), c.SeqLen))
	}
	for i, token := range tokens {
		if int(token) >= c.VocabSize && token != Ignore {
			panic(fmt.Sprintf("train: token %d at %d: the model has %d", token, i, c.VocabSize))
		}
	}
	return len(tokens) / (c.SeqLen + 1)
}

func (t *Trainer) inputs(tokens []uint16, i int) []uint16 {
	n := t.parameters.Config.SeqLen
	return tokens[i*(n+1):][:n]
}

func (t *Trainer) targets(tokens []uint16, i int) []uint16 {
	n := t.parameters.Config.SeqLen
	return tokens[i*(n+1)+1:][:n]
}

// countTargets returns the number of targets that count.
func (t *Trainer) countTargets(tokens []uint16) (n int) {
	for i := range len(tokens) / (t.parameters.Config.SeqLen + 1) {
		for _, target := range t.targets(tokens, i) {
			if target != Ignore {
				n++
			}
		}
	}
	return n
}

// share calls f for every part below parts, on all threads; worker is below len(t.states).
func (t *Trainer) share(parts int, f func(worker, part int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for worker := range min(len(t.states), parts) {
		wg.Go(func() {
			for part := int(next.Add(1)) - 1; part < parts; part = int(next.Add(1)) - 1 {
				f(worker, part)
			}
		})
	}
	wg.Wait()
}

// pack brings what the products need up to date with the weights.
func (t *Trainer) pack() {
	t.share(t.parameters.Config.NLayers+1, func(_, l int) { t.packed.pack(l) })
}

// sumLanes adds the gradients of all lanes to that of the first, and returns the norm of
// the sum.
func (t *Trainer) sumLanes() float64 {
	t.share(len(t.blocks), func(_, i int) {
		b := t.blocks[i]
		sum := t.gradient.Data[b.from:b.to]
		for _, lane := range t.lanes[1:] {
			t.kernels.Add(sum, lane.Data[b.from:b.to])
		}
		t.squares[i] = sumOfSquares(sum)
	})
	sum := 0.0
	for _, v := range t.squares {
		sum += v
	}
	return math.Sqrt(sum)
}

// update moves the weights against the gradient, clipped (Pascanu et al. 2013).
func (t *Trainer) update(r StepResult) {
	scale := 1.0
	if clip := t.options.Clip; clip > 0 && r.GradNorm > clip {
		scale = clip / r.GradNorm
	}
	a := newAdamW(&t.options, t.StepsDone, r.LearningRate, scale)
	t.share(len(t.blocks), func(_, i int) {
		b := t.blocks[i]
		a.update(t.parameters.Data[b.from:b.to], t.gradient.Data[b.from:b.to], t.m.Data[b.from:b.to], t.v.Data[b.from:b.to], b.matrix)
	})
}
