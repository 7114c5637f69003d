# Two commands do everything: make run, make test. Python 3.11 or newer, git and make are all they need.
PYTHON ?= python3
BIN := .venv/bin
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
export UV_PYTHON_DOWNLOADS := never

.PHONY: help run rehearse test lint soak bench sample clean

help: ## What there is
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

run: .venv/.ready ## The paper desk, simulated market, chat in this terminal
	@$(BIN)/python bot.py

test: .venv/.ready lint ## Lint, types, import rules, all tests
	$(BIN)/pytest -q -n auto --dist worksteal

lint: .venv/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: .venv/.ready ## Long fault runs: 200 kills at random moments
	$(BIN)/pytest -q -m soak -s

rehearse: .venv/.ready ## Practise the live desk against a local broker
	@$(BIN)/python bot.py rehearse

bench: .venv/.ready .venv-peers/.ready ## Benchmarks
	$(BIN)/python -m bench

sample: .venv/.ready ## Make docs/sample again
	$(BIN)/python -m docs.sample.generate

clean: ## Remove what make made; the desk's records in data/ stay
	rm -rf .venv .venv-peers .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/.ready: uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Munim needs Python 3.11 or newer; say which with make PYTHON=python3.12"; exit 1; }
	@command -v $(UV) >/dev/null || { $(PYTHON) -m venv .tools && .tools/bin/pip install --quiet uv==0.13.8; }
	@echo "Setting up .venv from uv.lock (once)…"
	@$(UV) sync --quiet --frozen --compile-bytecode --python $(PYTHON)
	@touch $@

.venv-peers/.ready: bench/peers/uv.lock bench/peers/pyproject.toml | .venv/.ready
	@echo "Setting up .venv-peers, those the benchmarks compare with (once)…"
	@UV_PROJECT_ENVIRONMENT=$(CURDIR)/.venv-peers $(abspath $(UV)) sync --quiet --frozen --project bench/peers --python $(PYTHON)
	@touch $@
