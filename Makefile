# make run    boots a virtual PC without an operating system: it tells a tale
# make model  trains the built-in model again, from nothing, and compares: 36 minutes on two cores
# make test   vet, unit, golden and boot tests, of every module
#
# All install what they miss with the system's package manager, where they may.

export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin

.PHONY: run console model test fmt-check

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

# The root comes last: what its tests skipped is then at the end of what is printed.
MODULES = $(dir $(wildcard */go.mod) go.mod)
# A module of which no test ran has failed.
GOTESTSUM = "$(CURDIR)/build/gotestsum" --format standard-quiet --post-run-command 'sh -c "[ $$TESTS_TOTAL -gt $$TESTS_SKIPPED ]"'

test: fmt-check
	@sh scripts/setup test
	go build -C bench -o ../build/gotestsum gotest.tools/gotestsum
	@failed=; for module in $(MODULES); do \
		echo "$$module: go vet, go test"; \
		(cd $$module && go vet ./... && $(GOTESTSUM) -- -timeout 20m ./...) || failed="$$failed $$module"; \
	done; [ -z "$$failed" ] || { echo "make test: failed in$$failed" >&2; exit 1; }

fmt-check:
	@sh scripts/setup build
	@files=$$(gofmt -l .) && if [ -n "$$files" ]; then echo "gofmt -w is due:" $$files >&2; exit 1; fi
