# `make fit` and `make test` start from a bare clone: they find a Python, make .venv and install into it.
# PYTHON=... takes another Python (3.11 or newer), ARGS=... hands flags on: make fit ARGS="--beta 0.4 --units 64"
# WORKERS=... runs the tests in so many processes (some GB each).

VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
PYTHON ?= $(shell tools/find_python.sh 3.11)
SOURCES := ppl_pvae tests benchmarks models analysis

.PHONY: help fit test lint types tests slow format hooks benchmark clean

help:
	@echo "make fit        train the Poisson VAE on natural patches; flags: ARGS=\"--beta 0.4\""
	@echo "make test       lint, types and tests"
	@echo "make lint types tests    one of the three"
	@echo "make slow       the tests that train for minutes"
	@echo "make format     let ruff format and mend what it can"
	@echo "make hooks      run lint and types before every commit"
	@echo "make benchmark  time per training step; needs no extra, and compares with PyTorch where it is installed"
	@echo "make clean      remove environments and caches; runs/ stays"

fit: $(VENV)/.installed
	$(BIN)/python -m ppl_pvae.fit $(ARGS)

test: lint types tests

lint: $(VENV)/.installed-test
	$(BIN)/ruff check $(wildcard $(SOURCES))
	$(BIN)/ruff format --check $(wildcard $(SOURCES))
	$(BIN)/pre-commit validate-config

types: $(VENV)/.installed-test
	$(BIN)/pyright --pythonpath $(BIN)/python

tests: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal --durations=10 $(ARGS)

slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m slow --durations=0 $(ARGS)

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix $(wildcard $(SOURCES))
	$(BIN)/ruff format $(wildcard $(SOURCES))

hooks: $(VENV)/.installed-test
	$(BIN)/pre-commit install

benchmark: $(VENV)/.installed
	$(BIN)/python benchmarks/step_time.py $(ARGS)

clean:
	rm -rf $(VENV) .venv-second .pytest_cache .ruff_cache build ppl_pvae.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml constraints-3.11.txt constraints-3.12.txt
	@test -n "$(PYTHON)" || { echo "no Python >= 3.11 runs here; install one, or say PYTHON=/path/to/python" >&2; exit 2; }
	tools/install.sh $(VENV) "$(PYTHON)" -e .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	tools/install.sh $(VENV) "$(PYTHON)" -e ".[test]"
	@touch $@
