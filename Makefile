# Each target does its own set-up: a virtual environment in .venv, and guests in the cache.

PYTHON ?= python3
BIN := .venv/bin
# One more than there are processors, for some tests wait.
PROCESSES ?= $(shell expr $$(nproc) + 1)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: run test lint unit bench soak images clean

run: .venv/run.stamp
	@$(BIN)/hospes run

images: .venv/run.stamp
	@$(BIN)/hospes images pull tiny

test: lint images unit

lint: .venv/test.stamp
	$(BIN)/ruff check .
	$(BIN)/mypy

unit: .venv/test.stamp
	$(BIN)/pytest -m 'not soak' -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

# Each fuzz target runs for FUZZ_SECONDS, 60 when not given: make soak FUZZ_SECONDS=3600
soak: .venv/test.stamp images
	$(BIN)/pytest -m soak

bench: .venv/test.stamp images
	@$(BIN)/python -m compileall -q src
	$(BIN)/python -m bench

clean:
	rm -rf .venv build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Hospes needs Python 3.11 or later: install it, or name one with make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "Python's venv module is missing: install it with 'apt-get install python3-venv'."; exit 1; }
	@echo "Setting up .venv (once)"
	@$(PYTHON) -m venv .venv

.venv/run.stamp: .venv/bin/python pyproject.toml
	@echo "Installing Hospes and what it needs into .venv"
	@$(PIP) --editable .
	@$(BIN)/python -m compileall -q src
	@touch $@

.venv/test.stamp: .venv/bin/python pyproject.toml
	@echo "Installing Hospes and its test tools into .venv"
	@$(PIP) --editable '.[test]'
	@$(BIN)/python -m compileall -q src
	@touch $@ .venv/run.stamp
