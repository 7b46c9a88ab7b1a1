package tokenizer

// symbols are the pieces of a text while neighbours merge. Symbol i is the text from start[i] to
// the start of the next one that is left.
type symbols struct {
	text       string
	start      []int32 // and the end of the text
	id         []int32 // the piece; none: the vocabulary does not have it
	next, prev []int32 // those left, as a list; next of the last one is their number
	queue      queue
}

// merged in prev: the symbol is a part of one before.
const merged = -2

// table says which pieces merge.
type table interface {
	// join returns what the neighbours left and right become. Pairs with a lower key merge
	// first.
	join(s *symbols, left, right int32) (key uint32, id int32, ok bool)
}

// reset begins with a text that has no symbols yet.
func (s *symbols) reset(text string) {
	s.text, s.start, s.id = text, s.start[:0], s.id[:0]
}

// add adds the symbol that begins at start.
func (s *symbols) add(start int, id int32) {
	s.start, s.id = append(s.start, int32(start)), append(s.id, id)
}

// span returns the text of the neighbours left and right.
func (s *symbols) span(left, right int32) string { return s.text[s.start[left]:s.start[s.next[right]]] }

// merge merges the pair with the lowest key, the leftmost among equals, until none is left that
// merges. It takes n log n steps for n symbols.
func (s *symbols) merge(t table) {
	n := int32(len(s.id))
	s.start = append(s.start, int32(len(s.text)))
	s.next, s.prev, s.queue = s.next[:0], s.prev[:0], s.queue[:0]
	for i := range n {
		s.next, s.prev = append(s.next, i+1), append(s.prev, i-1)
	}
	for i := range n - 1 {
		s.offer(t, i)
	}
	for len(s.queue) > 0 {
		top := s.queue.pop()
		left := int32(top & (1<<32 - 1))
		if s.prev[left] == merged || s.next[left] == n {
			continue
		}
		right := s.next[left]
		key, id, ok := t.join(s, left, right)
		if !ok || key != uint32(top>>32) {
			continue // one of the two has merged since
		}
		s.id[left], s.next[left], s.prev[right] = id, s.next[right], merged
		if after := s.next[right]; after < n {
			s.prev[after] = left
			s.offer(t, left)
		}
		if s.prev[left] >= 0 {
			s.offer(t, s.prev[left])
		}
	}
}

// offer queues the pair of a symbol and the one after it, if they merge.
func (s *symbols) offer(t table, left int32) {
	if key, _, ok := t.join(s, left, s.next[left]); ok {
		s.queue.push(uint64(key)<<32 | uint64(left))
	}
}

// queue is a heap: the least number comes first. container/heap allocates for each of them.
type queue []uint64

func (q *queue) push(v uint64) {
	*q = append(*q, v)
	h := *q
	i := len(h) - 1
	for i > 0 && h[(i-1)/2] > v {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = v
}

func (q *queue) pop() uint64 {
	h := *q
	least, last := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	for i := 0; len(h) > 0; {
		child := 2*i + 1
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if child >= len(h) || h[child] >= last {
			h[i] = last
			break
		}
		h[i] = h[child]
		i = child
	}
	return least
}
