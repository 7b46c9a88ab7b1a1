module bootllama/examples/terminal

go 1.26.0

require (
	bootllama v0.0.0
	github.com/gdamore/tcell/v2 v2.13.10
	golang.org/x/term v0.48.0
)

require (
	github.com/diskfs/go-diskfs v1.9.4 // indirect
	github.com/elliotwutingfeng/asciiset v0.0.0-20260801111138-45c5fff54b41 // indirect
	github.com/gdamore/encoding v1.0.1 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/lucasb-eyer/go-colorful v1.3.0 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	golang.org/x/image v0.48.0 // indirect
	golang.org/x/sys v0.50.0 // indirect
	golang.org/x/text v0.44.0 // indirect
)

replace bootllama => ../..
