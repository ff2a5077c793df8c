# The two commands: `make quickstart` shows Assay at work, `make test` proves it. CONTRIBUTING.md has the rest.

SWIFT        ?= swift
CONFIGURATION ?= release
VERSION      := $(shell cat VERSION)
BUILD        := $(SWIFT) build -c $(CONFIGURATION) --static-swift-stdlib --scratch-path .build/static
BIN          := .build/bin/$(CONFIGURATION)/assay
BASE_IMAGE   ?= docker.io/library/debian:12-slim
IMAGE        ?= localhost/assay:latest
RUN_PACKAGES := git podman runc conmon libcurl4-openssl-dev libyaml-dev ca-certificates pkg-config binutils
TEST_PACKAGES := $(RUN_PACKAGES) openssh-client openssh-server nginx-light fcgiwrap python3 python3-venv openssl procps chromium shellcheck \
                 buildah docker-registry hostname iproute2 lua5.4 prometheus
VENV         := .venv

.PHONY: quickstart build check test bench image setup setup-tests toolchain format generate clean

## Runs a real EvalJob end to end on the embedded control plane, after installing and building what it needs.
quickstart: setup build
	scripts/quickstart $(BIN)

## Builds the executable and strips it. Installs nothing.
build: toolchain
	SWIFT=$(SWIFT) scripts/build $(CONFIGURATION)

## The quick half of the tests: build, generated files, scripts, and the unit tests. Installs nothing.
check:
	scripts/check

## Installs what the tests need and runs all of them.
test: setup-tests
	scripts/test

## Prints the benchmarks: medians and ratios of one run.
bench: setup build
	$(BUILD) --product benchmarks
	scripts/bench $(BIN)

## Builds the one image that serves as operator, init container and collector. Installs nothing.
image: build
	podman build $(PODMAN_FLAGS) --build-arg BASE=$(BASE_IMAGE) --build-arg BINARY=$(BIN) --build-arg VERSION=$(VERSION) -t $(IMAGE) -f Containerfile .

## Installs the Debian packages that building and running need.
setup:
	@scripts/install-packages $(RUN_PACKAGES)

## The same, and those of the tests.
setup-tests:
	@scripts/install-packages $(TEST_PACKAGES)
	@scripts/install-clients $(VENV)

toolchain:
	@SWIFT=$(SWIFT) scripts/check-toolchain

## Formats the Swift sources.
format:
	scripts/format

## Writes the Swift files that carry other files (CRDs, schemas, the dashboard's script) inside the executable.
generate:
	scripts/generate

clean:
	rm -rf .build .assay
