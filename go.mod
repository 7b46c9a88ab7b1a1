module bootllama

go 1.26.0

require (
	github.com/diskfs/go-diskfs v1.9.4
	golang.org/x/arch v0.33.0
	golang.org/x/image v0.48.0
	golang.org/x/sys v0.50.0
	golang.org/x/term v0.48.0
)

require (
	github.com/elliotwutingfeng/asciiset v0.0.0-20260801111138-45c5fff54b41 // indirect
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/text v0.44.0 // indirect
)
