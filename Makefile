# Everything a person or a machine does with this checkout.  `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
STAMP := .venv/.set-up
DEMO ?= 1
CONFIG ?=
# Tests wait a good deal: more of them at a time than there are cores.
WORKERS ?= 4
ARGS ?=

# The torture and benchmark programs read these from the environment.
export ROW SEED TIER

.PHONY: help setup peers run test bench torture check format reqs docs lock clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## virtual environment from the lock file; .venv/bin/waystation works afterwards
	@:

$(STAMP): uv.lock pyproject.toml tools/setup.sh
	@tools/setup.sh
	@touch $@

peers: $(STAMP)  ## DCMTK, Orthanc and strace from Debian, where they are missing
	@tools/peers.sh

run: $(STAMP)  ## start a node and send a small study through it; DEMO=0 starts the bare node
ifeq ($(DEMO),0)
	@exec $(BIN)/waystation serve $(if $(CONFIG),--config $(CONFIG))
else
	@exec $(BIN)/waystation demo
endif

test: peers  ## the whole suite; ARGS="tests/wire -x" for a part of it
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

bench: peers  ## side-by-side figures against the peers; writes benchmarks/latest.json
	@$(BIN)/python -m benchmarks $(ARGS)

torture: peers  ## long fault runs with a ledger; ROW=F3 SEED=7 for one row, TIER=night for more
	@$(BIN)/python -m tests.torture $(ARGS)

check: $(STAMP)  ## lint, format, types, floors
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -q tests/test_floors.py tests/test_static.py

format: $(STAMP)  ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

reqs: $(STAMP)  ## requirements of docs/spec that are not delivered yet
	@$(BIN)/python -m tests.requirement_ids

docs: $(STAMP)  ## write the generated pages anew; check links and examples
	@$(BIN)/python -m waystation.app.reference >docs/reference/configuration.md
	@$(BIN)/python -m waystation.app.conformance >docs/conformance/deidentification.md
	@$(BIN)/python -m pytest -q tests/test_pages.py

lock: $(STAMP)  ## resolve the dependencies anew
	@tools/setup.sh lock

clean:  ## remove what setup and tests have made; the data folder stays
	rm -rf .venv .uv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
