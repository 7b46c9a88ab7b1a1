package session

// Model is a model that a person can choose.
type Model struct {
	Path   string // of its file; "": the built-in one
	Name   string // for a person
	Kind   string // architecture, parameters and type of the weights
	Size   int64  // bytes of its files
	Need   int64  // bytes of memory with its context; 0: not known
	Reason string // why it cannot be loaded, or ""
}
