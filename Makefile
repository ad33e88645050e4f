# Everything runs in .venv, which is made from requirements.lock at the first target that needs it.
# Needs: Python 3.11 or newer and make.

PYTHON ?= python3
SEEDS ?= 2000
SOAK_MINUTES ?= 20
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

# Two processes of tests: one has the broker and waits most of the time, the other computes.
TWO := --numprocesses 2 --dist loadgroup

# Stamps are named by what they stand for, so a fresh checkout's file times mean nothing.
sum = $(firstword $(shell $(1) | cksum))
LOCKED := .venv/.locked-$(call sum,cat requirements.lock)
INSTALLED := .venv/.installed-$(call sum,(pwd; cat requirements.lock pyproject.toml))

.PHONY: install demo check test simulate chaos bench soak docs lock clean

install: $(INSTALLED) ## Make .venv and put the turnstile command into it

demo: $(INSTALLED) ## Sell out on a real broker, kill the owner on the way, and check the ledger
	@$(BIN)/turnstile demo

check: $(INSTALLED) ## Format, lint, types, layers, tidiness and the tests without a broker: under a minute
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m pytest -q $(TWO) -m "not integration and not chaos and not slow"

test: $(INSTALLED) ## Everything, on a real broker too: under 15 minutes
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/python -m pytest $(TWO)

simulate: $(INSTALLED) ## Random faults on an in-memory log: make simulate SEEDS=20000
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

chaos: $(INSTALLED) ## Only the tests that kill, pause and cut off processes
	@$(BIN)/python -m pytest -m chaos

bench: $(INSTALLED) ## Measure every scenario, at least 5 rounds each, and audit them: an hour. One: turnstile bench NAME
	@$(BIN)/python -m bench

soak: $(INSTALLED) ## 20 minutes of sales and faults; memory must stand still. SOAK_MINUTES=2: all but memory
	@$(BIN)/python -m bench.soak --minutes $(SOAK_MINUTES)

docs: $(INSTALLED) ## Write docs/reference from the source
	@$(BIN)/python -m ops.reference

lock: ## Write requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-header --output-file requirements.lock

clean: ## Remove what the tools leave behind; .venv stays
	rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

# An environment that is there and works is kept and brought up to the lock; a broken one is made anew.
$(LOCKED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "turnstile needs Python 3.11 or newer, " \
		"$(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing the dependencies into .venv (once, about a minute) ..."
	@$(PIP) install --require-hashes --requirement requirements.lock
	@rm -f .venv/.locked-* && touch $@

$(INSTALLED): $(LOCKED)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@rm -f .venv/.installed-* && touch $@
