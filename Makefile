# Understudy. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

SWIFT ?= swift
PREFIX ?= /usr/local
DESTDIR ?=
# The Python environment with Buildbot that the tests and the demo run; scripts/buildbot-environment makes it.
export UNDERSTUDY_TEST_BUILDBOT ?= $(CURDIR)/.venv/buildbot

# One file: Swift's own libraries and C++'s, which they need, are inside, and those of the system that get security updates are
# not. It exports nothing: each symbol that it did had to be passed over by the dynamic linker, at each start.
STATIC := .build/static
RELEASE := -c release --static-swift-stdlib -Xlinker -s -Xlinker --no-export-dynamic -Xlinker -L$(STATIC)
BINARY := .build/release/understudy
# What the binary is linked to; libarchive and libgit2 are loaded when they are needed. Foundation is not among it: it is linked
# in, or not used at all.
LIBRARIES := libc|libcrypto|libdeflate|libexpat|libgcc_s|libisal|libm|libsqlite3|libyaml-0|ld-linux-[a-z0-9-]+

.PHONY: help setup build debug demo test canaries machine crash large sanitize check bench dist install clean

help: ## List the targets.
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: ## Install what the build and the tests need; safe to repeat.
	@scripts/setup

build: $(STATIC)/libstdc++.a ## Build the release binary, .build/release/understudy.
	$(SWIFT) build $(RELEASE) --product understudy

$(STATIC)/libstdc++.a:
	@mkdir -p $(STATIC)
	@ln -sf "$$($(CC) -print-file-name=libstdc++.a)" $@

debug: ## Build everything for debugging, tests too.
	$(SWIFT) build --build-tests

demo: setup build ## Set up Buildbot, snapshot it, destroy it and bring it back; then a whole delivery system.
	scripts/demo
	scripts/demo-reference

# Most tests start programs, and wait for some of them for so long and no longer. Swift has a thread for each processor, and a
# test that only computes keeps one: with two tests at a time the other goes on. What starts many servers runs by itself.
SERVERS := CanaryTests|NightlyTests|EmptyMachineTests
few = SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=$(1)

test: setup ## Run every test.
	@mkdir -p .build
	$(SWIFT) build --build-tests
	$(call few,2) $(SWIFT) test --skip-build --skip '$(SERVERS)' 2>&1 | tee .build/test.log
	$(call few,4) $(SWIFT) test --skip-build --filter '$(SERVERS)' 2>&1 | tee .build/servers.log
	@grep -ho 'Test run with .*' .build/test.log .build/servers.log | sed 's/^/make test: /'

canaries: setup ## Run every canary, drill and promotion on a real Buildbot.
	$(SWIFT) build --build-tests
	UNDERSTUDY_TEST_CANARIES=all $(call few,2) $(SWIFT) test --skip-build --filter CanaryTests

machine: ## Try limits by control groups, and a night by its timer, in a machine of their own (QEMU).
	$(SWIFT) build --build-tests
	scripts/cgroup-machine

# So many kills that hit in each of snapshot, restore, undo and prune; every call that can fail, failing once.
CRASHES ?= 400

crash: setup ## Kill each of four commands 400 times, fail every call, try many random trees.
	$(SWIFT) build --build-tests
	UNDERSTUDY_TEST_CRASHES=$(CRASHES) UNDERSTUDY_TEST_FAULTS=1000000 UNDERSTUDY_TEST_TREES=24 \
	    $(SWIFT) test --skip-build --filter 'CrashTests|FaultTests|RandomTreeTests'

large: setup ## Seal and open a gigabyte, by ourselves and by Debian's age.
	$(SWIFT) build --build-tests
	UNDERSTUDY_TEST_LARGE=1 $(SWIFT) test --skip-build --filter aGigabyte

# What runs is what reads bytes that others may have written. Not under the thread sanitizer: it does not see the lock of Swift's
# Mutex, and reports every use of one.
sanitize: setup ## Run the readers and writers of the store under the address sanitizer.
	UNDERSTUDY_TEST_FUZZ=4000 UNDERSTUDY_TEST_FLIPS_APART=19 \
	    LSAN_OPTIONS="suppressions=$(CURDIR)/scripts/leaks.txt" $(SWIFT) test \
	    --sanitize=address --scratch-path .build-address --filter 'HostileStoreTests|GitTests'

check: ## Check format, imports, and what the release binary is linked to.
	$(SWIFT) format lint --strict --recursive Sources Tests Package.swift
	$(SWIFT) build --build-tests --explicit-target-dependency-import-check error
	@if [ -e $(BINARY) ]; then \
	    needed=$$(readelf --dynamic --wide $(BINARY) | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); \
	    if grep -Ev '^($(LIBRARIES))\.so' <<<"$$needed"; then \
	        echo "make check: $(BINARY) needs the libraries above, which it may not" >&2; exit 1; \
	    fi; \
	else echo "make check: no release binary, so its libraries were not checked"; fi
	@echo "make check: clean"

bench: build ## Measure against the peers that are installed, and write docs/benchmarks.md.
	$(SWIFT) build $(RELEASE) --product microbenchmarks
	Benchmarks/run

# Owners, order and times as they would be anywhere: the archive depends on nothing but what is in it.
DIST = understudy-$(shell $(BINARY) --version)-linux-$(shell uname -m)

dist: build ## Pack the release binary, its pages and completions into .build/dist, with a SHA-256.
	rm -rf .build/dist
	$(MAKE) --no-print-directory install DESTDIR="$(CURDIR)/.build/dist/tree" PREFIX=/
	install -D -m 644 -t .build/dist/tree/share/doc/understudy docs/*.md README.md CHANGELOG.md LICENSE SECURITY.md
	tar --create --file - --directory .build/dist --transform 's,^tree,$(DIST),' --sort=name --owner=0 --group=0 \
	    --numeric-owner --mtime=@$$(git log -1 --format=%ct) tree | zstd -q -19 -o .build/dist/$(DIST).tar.zst
	rm -rf .build/dist/tree
	cd .build/dist && sha256sum $(DIST).tar.zst | tee SHA256SUMS

# Not built here: under sudo that would be done as root.
install: ## Install the built binary and shell completions below PREFIX.
	@test -x $(BINARY) || { echo "make install: run 'make build' first" >&2; exit 1; }
	install -D -m 755 $(BINARY) "$(DESTDIR)$(PREFIX)/bin/understudy"
	install -d "$(DESTDIR)$(PREFIX)"/share/{bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
	$(BINARY) --generate-completion-script bash \
	    >"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/understudy"
	$(BINARY) --generate-completion-script zsh \
	    >"$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_understudy"
	$(BINARY) --generate-completion-script fish \
	    >"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/understudy.fish"

clean: ## Remove what was built; the Python environment stays.
	rm -rf .build .build-address .demo .corpus
