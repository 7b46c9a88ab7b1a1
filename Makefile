# make run    boots a model on a virtual PC without an operating system: it tells a story
# make test   vet, unit, golden and boot tests
#
# Both install what they miss with the system's package manager, where they may.

export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin

.PHONY: run console test fmt-check

# MODEL=FILE and TOKENIZER=FILE choose another model; scripts/story knows which otherwise.
run:
	@sh scripts/setup run
	@sh scripts/story "$(MODEL)" "$(TOKENIZER)" -i ""

# Your terminal is the machine's console: type how a story begins.
console:
	@sh scripts/setup run
	@sh scripts/story "$(MODEL)" "$(TOKENIZER)"

test: fmt-check
	@sh scripts/setup test
	go vet ./...
	go run ./scripts/test -timeout 20m ./...

fmt-check:
	@sh scripts/setup build
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "gofmt -w is due:" $$files >&2; exit 1; fi
