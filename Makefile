# `make run` and `make test` set up what they need; both can be called again at any time.
PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3.12),$(shell command -v python3.13),python3)
VENV ?= .venv
BIN = $(VENV)/bin
PIP = PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip

.PHONY: help run test test-all test-oldest rendered bench lint lock messages clean setup setup-dev
.DEFAULT_GOAL := help

help:
	@echo "make run       hub, node, workers, Redis and broker in the foreground"
	@echo "make test      everything once (at most 10 minutes)"
	@echo "make test-all  the wider suite"
	@echo "make test-oldest  the core on the oldest versions that are allowed"
	@echo "make rendered  write what the flake's hosts render to (needs UNIBOS_NIX_EVAL)"
	@echo "make lint      ruff, import contracts, translations"
	@echo "make bench     measure, and write bench/results"
	@echo "make messages  collect the sentences for translation"
	@echo "make lock      resolve the dependencies anew"

$(VENV)/.run: pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --require-hashes --no-deps -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(PIP) install --quiet --require-hashes --no-deps -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.run
	@sh scripts/system-packages run

setup-dev: $(VENV)/.dev
	@sh scripts/system-packages test

run: setup
	@exec $(BIN)/unibos-dev run

test: setup-dev
	@sh scripts/test $(BIN)

test-all: setup-dev
	$(BIN)/python -m pytest

$(VENV)-oldest/.made: pyproject.toml scripts/oldest
	sh scripts/oldest $(PYTHON) $(VENV)-oldest
	@touch $@

test-oldest: setup-dev $(VENV)-oldest/.made
	$(VENV)-oldest/bin/python -m pytest -m "not slow" tests/kernel tests/wire tests/adapters tests/features tests/products

rendered: $(VENV)/.dev
	$(BIN)/python scripts/render

lint: $(VENV)/.dev
	$(BIN)/ruff check app tests bench
	$(BIN)/ruff check --stdin-filename scripts/messages.py - < scripts/messages
	$(BIN)/ruff check --stdin-filename scripts/render.py - < scripts/render
	$(BIN)/lint-imports --no-cache
	$(BIN)/python scripts/messages $(BIN) check

bench: setup-dev
	$(BIN)/python -m bench

lock: $(VENV)/.dev
	sh scripts/lock $(BIN)

messages: $(VENV)/.dev
	$(BIN)/python scripts/messages $(BIN) update

clean:
	rm -rf $(VENV) $(VENV)-oldest build dist *.egg-info app/*.egg-info
