# make run      boots a virtual PC without an operating system: it tells a tale
# make model    trains the built-in model again, from nothing, and compares: 36 minutes on two cores
# make test     vet, unit, golden and boot tests, of every module, and make race
# make race     the tests of what has goroutines with the race detector; kernels (simd) are called by the root's
# make fuzz     every fuzz target until it reaches no new code for TIME, 30m; a line of each
# make release  the files for a person who has no Go, in build/release: programs, the .efi, a stick's image, sums
#
# All install what they miss with the system's package manager, where they may.

export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin

.PHONY: run console model release test race fuzz fmt-check

# MODEL=FILE and TOKENIZER=FILE choose another model than the one that is built in.
BOOT = go run ./cmd/bootllama boot $(if $(MODEL),"$(MODEL)") $(if $(TOKENIZER),-z "$(TOKENIZER)")

run:
	@sh scripts/setup run
	@$(BOOT) -i ""

# Your terminal is the machine's console: type how a story begins.
console:
	@sh scripts/setup run
	@$(BOOT)

model:
	@sh scripts/setup build
	go build -C train -o ../build/train ./cmd/train
	build/train -o build/model
	cmp build/model/model-q8.bin models/tales.bin
	cmp build/model/tokenizer.bin models/tok1024.bin

# VERSION=v1.2.3 names the version; else it is the tag of the commit.
release:
	@sh scripts/setup build
	go run ./scripts/release -o build/release $(if $(VERSION),-version "$(VERSION)")

# The root comes last: what its tests skipped is then at the end of what is printed.
MODULES = $(dir $(wildcard */go.mod examples/*/go.mod) go.mod)
# A module of which no test ran has failed. -vet=off: go vet, just before, has all that go test would look for.
GOTESTSUM = "$(CURDIR)/build/gotestsum" --format standard-quiet --post-run-command 'sh -c "[ $$TESTS_TOTAL -gt $$TESTS_SKIPPED ]"'

test: fmt-check
	@sh scripts/setup test
	go build -C bench -o ../build/gotestsum gotest.tools/gotestsum
	@failed=; $(MAKE) --no-print-directory race || failed=" make race"; for module in $(MODULES); do \
		echo "$$module: go vet, go test"; \
		(cd $$module && go vet ./... && $(GOTESTSUM) -- -vet=off -timeout 60m ./...) || failed="$$failed $$module"; \
	done; [ -z "$$failed" ] || { echo "make test: failed in$$failed" >&2; exit 1; }

RACE = . ./chat ./internal/run ./internal/vm ./session ./stories ./tensor ./workers

race:
	@sh scripts/setup build
	@if command -v "$$(go env CC)" >/dev/null; then \
		echo "go test -race"; \
		CGO_ENABLED=1 go test -race -short -timeout 20m $(RACE) && CGO_ENABLED=1 go test -C train -race -short -timeout 20m . ./run; \
	else echo "SKIPPED: nothing was tested with the race detector, which needs a C compiler: there is no $$(go env CC)" >&2; fi

# TIME=1m is how long a target has to reach no new code; ONLY=gguf chooses targets by folder or name.
fuzz:
	@sh scripts/setup build
	@go run ./scripts/fuzz -time "$(or $(TIME),30m)" $(if $(ONLY),"$(ONLY)")

fmt-check:
	@sh scripts/setup build
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "gofmt -w is due:" $$files >&2; exit 1; fi
