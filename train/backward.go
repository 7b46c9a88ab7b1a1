package train

import (
	"math"

	"bootllama"
	"bootllama/simd"
)

// gradients is the scratch of the backward pass. A name with a d is the gradient of the loss
// by what the forward pass calls so.
type gradients struct {
	dx   []float32 // (T, dim): of the residual stream
	dxb  []float32 // (T, dim)
	dqkv []float32 // (T, dim + 2*kv_dim)
	dh   []float32 // (T, 2*hidden_dim)
	dhb  []float32 // (T, hidden_dim)

	ones   []float32 // (hidden_dim,)
	datt   []float32 // (T, roundUp(T)): by the scores of a head; 0 from the diagonal to the end of a block
	values []float32 // (T, head_size) of one head, in tiles
}

func newGradients(c llama.Config) gradients {
	n := c.SeqLen
	g := gradients{
		dx:     make([]float32, n*c.Dim),
		dxb:    make([]float32, n*c.Dim),
		dqkv:   make([]float32, n*(c.Dim+2*c.KVDim())),
		dh:     make([]float32, n*2*c.HiddenDim),
		dhb:    make([]float32, n*c.HiddenDim),
		ones:   make([]float32, c.HiddenDim),
		datt:   make([]float32, n*roundUp(n)),
		values: make([]float32, simd.SizeF32(n, c.HeadSize)),
	}
	for i := range g.ones {
		g.ones[i] = 1
	}
	return g
}

// backpropagate adds the gradients of the weights by the loss to d, or sets d to them if
// first. It comes after crossEntropy, whose mean is over so many tokens.
func (s *state) backpropagate(d *Parameters, first bool, tokens, targets []uint16, counted int) {
	p, g := s.t.parameters, &s.backward
	c := p.Config
	if first {
		clear(d.RMSAttWeight)
		clear(d.RMSFFNWeight)
		clear(d.RMSFinalWeight)
	}

	s.logitsBackward(targets, counted)
	s.linearBackward(g.dxb, s.xb, s.logits, c.Dim, first, linear{p.TokenEmbeddingTable, d.TokenEmbeddingTable})
	clear(g.dx)
	rmsnormBackward(g.dx, d.RMSFinalWeight, s.x, p.RMSFinalWeight, g.dxb)

	for l := c.NLayers - 1; l >= 0; l-- {
		a := &s.layers[l]
		of := func(w, dw []float32) linear { return linear{p.layer(w, l), d.layer(dw, l)} }
		w2 := of(p.W2, d.W2)
		s.inputBackward(g.dhb, g.dx, c.HiddenDim, w2)
		s.swigluBackward(a.h)
		s.weightBackward(s.hb, g.dx, c.HiddenDim, first, w2)
		s.rmsnorm(s.xb, a.mid, p.layer(p.RMSFFNWeight, l))
		s.linearBackward(g.dxb, s.xb, g.dh, c.Dim, first, of(p.W1, d.W1), of(p.W3, d.W3))
		rmsnormBackward(g.dx, d.layer(d.RMSFFNWeight, l), a.mid, p.layer(p.RMSFFNWeight, l), g.dxb)

		s.linearBackward(g.dxb, a.out, g.dx, c.Dim, first, of(p.WO, d.WO))
		s.attentionBackward(a)
		s.rotate(g.dqkv, s.t.ropeBack)
		s.rmsnorm(s.xb, a.x, p.layer(p.RMSAttWeight, l))
		s.linearBackward(g.dxb, s.xb, g.dqkv, c.Dim, first, of(p.WQ, d.WQ), of(p.WK, d.WK), of(p.WV, d.WV))
		rmsnormBackward(g.dx, d.layer(d.RMSAttWeight, l), a.x, p.layer(p.RMSAttWeight, l), g.dxb)
	}
	for i, token := range tokens {
		s.t.kernels.Add(d.embedding(token), g.dx[i*c.Dim:][:c.Dim])
	}
}

// logitsBackward turns the probabilities into the gradient by the logits: the probability,
// less 1 for the target, over the number of targets that count.
func (s *state) logitsBackward(targets []uint16, counted int) {
	vocab := s.t.parameters.Config.VocabSize
	scale := 1 / float32(counted)
	for i, target := range targets {
		p := s.logits[i*vocab:][:vocab]
		if target == Ignore {
			clear(p)
			continue
		}
		p[target]--
		for j := range p {
			p[j] *= scale
		}
	}
}

// linear is a matrix of weights (out, n) and its gradient.
type linear struct{ w, dw []float32 }

// linearBackward goes back through linear layers with the same input x, (T, n): dy, (T, all out),
// are the gradients by their outputs, side by side. It sets dx, (T, n), and adds to the
// gradients of the weights, or sets them if first.
func (s *state) linearBackward(dx, x, dy []float32, n int, first bool, layers ...linear) {
	s.inputBackward(dx, dy, n, layers...)
	s.weightBackward(x, dy, n, first, layers...)
}

func (s *state) inputBackward(dx, dy []float32, n int, layers ...linear) {
	tokens := s.t.parameters.Config.SeqLen
	width := len(dy) / tokens
	for i, l := range layers {
		out := len(l.w) / n
		s.t.kernels.GemmF32(dx, n, dy, width, 1, l.w, n, tokens, out, n, i > 0)
		dy = dy[out:]
	}
}

func (s *state) weightBackward(x, dy []float32, n int, first bool, layers ...linear) {
	tokens := s.t.parameters.Config.SeqLen
	width := len(dy) / tokens
	for _, l := range layers {
		out := len(l.w) / n
		s.t.kernels.GemmF32(l.dw, n, dy, 1, width, x, n, out, tokens, n, !first)
		dy = dy[out:]
	}
}

// swigluBackward sets dh from dhb and h, the outputs of w1 and w3, and hb to what swiglu sets it
// to. With sigma = 1/(1 + e**-x) and silu = x sigma, the derivative of silu is
// sigma + silu (1 - sigma); sigma is silu/x, since the kernels have silu.
func (s *state) swigluBackward(h []float32) {
	g, n := &s.backward, s.t.parameters.Config.HiddenDim
	for i := 0; i < len(s.hb); i += n {
		hb, dhb := s.hb[i:][:n], g.dhb[i:][:n]
		h1, h3 := h[2*i:][:n], h[2*i+n:][:n]
		dh1, dh3 := g.dh[2*i:][:n], g.dh[2*i+n:][:n]
		copy(hb, h1)
		s.t.kernels.SwiGLU(hb, g.ones)
		for j, silu := range hb {
			sigma := float32(0.5)
			if x := h1[j]; x != 0 {
				sigma = silu / x
			}
			hb[j] = silu * h3[j]
			dh3[j] = dhb[j] * silu
			slope := sigma + float32(silu*(1-sigma))
			dh1[j] = dhb[j] * h3[j] * slope
		}
	}
}

// rmsnormBackward adds to dx (T, dim) and dweight (dim,) what comes from dy, the gradient
// by the output of an rmsnorm of x. With scale = 1/rms(x), y = weight scale x and
// dx = scale weight dy - x scale**3/dim sum(weight dy x).
func rmsnormBackward(dx, dweight, x, weight, dy []float32) {
	n := len(weight)
	dweight = dweight[:n]
	for i := 0; i < len(x); i += n {
		x, dx, dy := x[i:][:n], dx[i:][:n], dy[i:][:n]
		squares, dot := rmsSums(x, weight, dy)
		scale := 1 / float32(math.Sqrt(float64(squares/float32(n)+normEpsilon)))
		back := scale * scale * scale * dot / float32(n)
		for j, v := range x {
			d := scale * dy[j]
			dweight[j] += float32(d * v)
			dx[j] += float32(d*weight[j]) - float32(back*v)
		}
	}
}

// rmsSums returns the sums of x*x and of weight*dy*x, each in four parts.
func rmsSums(x, weight, dy []float32) (squares, dot float32) {
	var q0, q1, q2, q3, d0, d1, d2, d3 float32
	for ; len(x) >= 4 && len(weight) >= 4 && len(dy) >= 4; x, weight, dy = x[4:], weight[4:], dy[4:] {
		x0, x1, x2, x3 := x[0], x[1], x[2], x[3]
		q0 += float32(x0 * x0)
		q1 += float32(x1 * x1)
		q2 += float32(x2 * x2)
		q3 += float32(x3 * x3)
		d0 += float32(float32(weight[0]*dy[0]) * x0)
		d1 += float32(float32(weight[1]*dy[1]) * x1)
		d2 += float32(float32(weight[2]*dy[2]) * x2)
		d3 += float32(float32(weight[3]*dy[3]) * x3)
	}
	for j, v := range x {
		q0 += float32(v * v)
		d0 += float32(float32(weight[j]*dy[j]) * v)
	}
	return (q0 + q1) + (q2 + q3), (d0 + d1) + (d2 + d3)
}

// attentionBackward sets dqkv from dxb, the gradient by what the heads put out.
func (s *state) attentionBackward(a *activations) {
	c, g := s.t.parameters.Config, &s.backward
	n, size, width := c.SeqLen, c.HeadSize, c.Dim+2*c.KVDim()
	shared := c.NHeads / c.NKVHeads
	for kv := range c.NKVHeads {
		key, value := c.Dim+kv*size, c.Dim+c.KVDim()+kv*size
		packRows(g.values, 0, a.qkv[value:], width, n, size)
		for h := kv * shared; h < (kv+1)*shared; h++ {
			for from := 0; from < n; from += attentionBlock {
				to := min(from+attentionBlock, n)
				s.scoresBackward(a, h, from, to)
				dq, datt := g.dqkv[from*width+h*size:], g.datt[from*roundUp(n):]
				s.t.kernels.GemmF32(dq, width, datt, roundUp(n), 1, a.qkv[key:], width, to-from, to, size, false)
			}
			first := h == kv*shared
			s.keysBackward(g.dqkv[value:], a.att[h*n*roundUp(n):], g.dxb[h*size:], c.Dim, first)
			s.keysBackward(g.dqkv[key:], g.datt, a.qkv[h*size:], width, first)
		}
	}
}

// scoresBackward sets datt for some queries of a head. The weights att are
// softmax(score/root), so the gradient by a score is att (datt - sum(att datt))/root; the sum
// is that of the output times its gradient.
func (s *state) scoresBackward(a *activations, h, from, to int) {
	c, g := s.t.parameters.Config, &s.backward
	n, padded, size := c.SeqLen, roundUp(c.SeqLen), c.HeadSize
	scale := 1 / float32(math.Sqrt(float64(size)))
	s.t.kernels.MatMulF32(g.datt[from*padded:], padded, g.dxb[from*c.Dim+h*size:], c.Dim, to-from, size, g.values, tile*size, roundUp(to))
	for i := from; i < to; i++ {
		out, dout := a.out[i*c.Dim+h*size:][:size], g.dxb[i*c.Dim+h*size:][:size]
		var sum float32
		for j, v := range out {
			sum += float32(v * dout[j])
		}
		att, datt := a.att[(h*n+i)*padded:][:i+1], g.datt[i*padded:][:i+1]
		softmaxBackward(datt, att, sum, scale)
		clear(g.datt[i*padded:][i+1 : to])
	}
}

// softmaxBackward replaces datt by att (datt - sum) scale, four at a time. Both have the same
// length.
func softmaxBackward(datt, att []float32, sum, scale float32) {
	for ; len(datt) >= 4 && len(att) >= 4; datt, att = datt[4:], att[4:] {
		d, a := (*[4]float32)(datt), (*[4]float32)(att)
		d0, d1, d2, d3 := a[0]*(d[0]-sum)*scale, a[1]*(d[1]-sum)*scale, a[2]*(d[2]-sum)*scale, a[3]*(d[3]-sum)*scale
		d[0], d[1], d[2], d[3] = d0, d1, d2, d3
	}
	for j, v := range att {
		datt[j] = v * (datt[j] - sum) * scale
	}
}

// keysBackward adds to d, (T, head_size) in dqkv, which is dk or dv of a head, the product of
// the transpose of att or datt, which are 0 behind the diagonal, with right (T, head_size), the
// queries or the gradient by the output; it sets d to it if first.
func (s *state) keysBackward(d, att, right []float32, stride int, first bool) {
	c := s.t.parameters.Config
	n, padded, width := c.SeqLen, roundUp(c.SeqLen), c.Dim+2*c.KVDim()
	for from := 0; from < n; from += attentionBlock {
		to := min(from+attentionBlock, n)
		s.t.kernels.GemmF32(d[from*width:], width, att[from*padded+from:], 1, padded, right[from*stride:], stride, to-from, n-from, c.HeadSize, !first)
	}
}
