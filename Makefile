# Carnet on one machine. `make` lists what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash

SERVICES := profiles outreach messaging waitlist appointments gateway
MEMBERS := libs/protos libs/chassis deploy/local $(SERVICES:%=services/%)
PYTHON ?= $(firstword $(foreach p,python3.11 python3 python3.12 python3.13,$(shell command -v $(p))))
UV_VERSION := 0.13.9
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
CDNOW := .carnet/data/cdnow
LIFETIMES := .carnet/data/lifetimes/.can-run
DESCRIPTORS := libs/protos/carnet/descriptors.binpb

# uv does not read pip's configuration; where pip is told of another index, uv is told of it too.
INDEX := $(shell $(PYTHON) -m pip config get global.index-url 2>/dev/null)
ifneq ($(INDEX),)
export UV_DEFAULT_INDEX ?= $(INDEX)
endif

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

install: .venv/.installed ## install what running needs into .venv

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Carnet needs Python 3.11 or newer")'
	@echo "Installing (first time, about half a minute)"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

.venv/.installed: .venv/bin/uv requirements.lock $(MEMBERS:%=%/pyproject.toml)
	@$(UV) --require-hashes -r requirements.lock
	@$(UV) --no-deps --no-build-isolation $(MEMBERS:%=-e ./%)
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.lock
	@$(UV) --require-hashes -r requirements-dev.lock
	@touch $@

$(CDNOW): .venv/bin/uv requirements-data.lock
	@mkdir -p -m 700 .carnet && mkdir -p .carnet/data
	@$(UV) --no-deps --require-hashes --target .carnet/data/lifetimes -r requirements-data.lock
	@mkdir -p $(CDNOW) && cp .carnet/data/lifetimes/lifetimes/datasets/CDNOW_*.txt $(CDNOW)/ && touch $(CDNOW)

$(LIFETIMES): $(CDNOW) requirements-bench.lock
	@$(UV) --no-deps --require-hashes --target .carnet/data/lifetimes -r requirements-bench.lock
	@touch $@

up: install ## start everything and the demo chain; Ctrl-C stops it
	@$(BIN)/python -m carnet_local up $(if $(DETACH),--detach)

down: install ## stop what `make up` started
	@$(BIN)/python -m carnet_local down

reset: install ## stop, and forget all data
	@$(BIN)/python -m carnet_local reset

logs: install ## follow the logs; SERVICE=messaging for one of them
	@$(BIN)/python -m carnet_local logs $(SERVICE) -f

demo: install $(CDNOW) ## run the main job through the API, on real purchases
	@$(BIN)/python -m carnet_local.demo

test: .venv/.installed-dev $(CDNOW) ## run every test, on real servers that it starts itself
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

lint: .venv/.installed-dev ## style, types, imports, contracts, manifests
	@$(BIN)/ruff check . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy $(foreach s,$(SERVICES),-p $(s)) -p chassis -p carnet_local
	@$(BIN)/lint-imports --config .importlinter
	@$(BIN)/python protos/generate.py --check
	@$(BIN)/buf lint $(DESCRIPTORS) --config protos/buf.yaml
	@protos/breaking.sh
	@deploy/k8s/validate.sh

format: .venv/.installed-dev ## put the code into its form
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

protos: .venv/.installed-dev ## generate libs/protos from protos/
	@$(BIN)/python protos/generate.py

faults: .venv/.installed-dev ## kill everything at every point while texts go out (about five minutes)
	@$(BIN)/python tests/faults/crash_matrix.py $(ARGS)

bench: .venv/.installed-dev $(CDNOW) $(LIFETIMES) ## measure, as ratios to ceilings of the same run
	@for b in bench/*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

lock: .venv/bin/uv ## resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(if $(UPGRADE),--upgrade) \
	  --no-emit-package carnet-chassis --no-emit-package carnet-protos \
	  requirements.in $(MEMBERS:%=%/pyproject.toml) -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $(if $(UPGRADE),--upgrade) \
	  requirements-dev.in -o requirements-dev.lock

check: lint test ## exactly what CI runs

.PHONY: help install up down reset logs demo test lint format protos faults bench lock check
