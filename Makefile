# The two commands: `make quickstart` shows Assay at work, `make test` proves it.

SWIFT        ?= swift
CONFIGURATION ?= release
BIN          := .build/$(CONFIGURATION)/assay
BASE_IMAGE   ?= docker.io/library/debian:12-slim
IMAGE        ?= localhost/assay:latest
SUDO         := $(if $(filter 0,$(shell id -u)),,sudo)
APT          := $(SUDO) apt-get install -y --no-install-recommends -qq
RUN_PACKAGES := git podman runc conmon libcurl4-openssl-dev libyaml-dev ca-certificates pkg-config
TEST_PACKAGES := $(RUN_PACKAGES) openssh-client openssh-server nginx-light fcgiwrap python3 python3-venv openssl procps
VENV         := .venv

.PHONY: quickstart build test bench image packages test-packages clean generate

## Installs what it needs, builds, and runs a real EvalJob end to end on the embedded control plane.
quickstart: packages build
	scripts/quickstart $(BIN)

build: packages
	$(SWIFT) build -c $(CONFIGURATION) --static-swift-stdlib --product assay

## Installs what tests need and runs them all.
test: test-packages
	scripts/test

## Prints the benchmarks: medians and ratios of one run.
bench: packages build
	$(SWIFT) build -c release --static-swift-stdlib --product benchmarks
	scripts/bench $(BIN)

## Builds the one image that serves as operator, init container and collector.
image: build
	podman build --build-arg BASE=$(BASE_IMAGE) -t $(IMAGE) -f Containerfile .

packages:
	@scripts/install-packages $(RUN_PACKAGES)

test-packages:
	@scripts/install-packages $(TEST_PACKAGES)
	@scripts/install-kubectl $(VENV)

## Writes the sources that are made from other files (the CRDs inside the binary).
generate:
	scripts/generate-crds

clean:
	rm -rf .build .assay
