# The two commands: `make quickstart` shows Assay at work, `make test` proves it.

SWIFT        ?= swift
CONFIGURATION ?= release
BUILD        := $(SWIFT) build -c $(CONFIGURATION) --static-swift-stdlib --scratch-path .build/static
BIN          := .build/static/$(CONFIGURATION)/assay
BASE_IMAGE   ?= docker.io/library/debian:12-slim
IMAGE        ?= localhost/assay:latest
RUN_PACKAGES := git podman runc conmon libcurl4-openssl-dev libyaml-dev ca-certificates pkg-config
TEST_PACKAGES := $(RUN_PACKAGES) openssh-client openssh-server nginx-light fcgiwrap python3 python3-venv openssl procps chromium
VENV         := .venv

.PHONY: quickstart build test bench image packages test-packages clean generate

## Installs what it needs, builds, and runs a real EvalJob end to end on the embedded control plane.
quickstart: packages build
	scripts/quickstart $(BIN)

build: packages
	$(BUILD) --product assay

## Installs what tests need and runs them all.
test: test-packages
	scripts/test

## Prints the benchmarks: medians and ratios of one run.
bench: packages build
	$(BUILD) --product benchmarks
	scripts/bench $(BIN)

## Builds the one image that serves as operator, init container and collector.
image: build
	podman build $(PODMAN_FLAGS) --build-arg BASE=$(BASE_IMAGE) --build-arg BINARY=$(BIN) -t $(IMAGE) -f Containerfile .

packages:
	@scripts/install-packages $(RUN_PACKAGES)

test-packages:
	@scripts/install-packages $(TEST_PACKAGES)
	@scripts/install-kubectl $(VENV)

## Writes the Swift files that carry other files (CRDs, schemas, the dashboard's script) inside the executable.
generate:
	scripts/generate

clean:
	rm -rf .build .assay
