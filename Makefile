# make demo and make test need nothing but Python 3.11 or newer: they make .venv themselves.
# On Linux, PyPI's torch brings CUDA (gigabytes). Without a GPU, name PyTorch's CPU index:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test lint check format bench constraints

help: ## what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

install: $(STAMP) ## .venv with Noria, editable, and the tools of a developer

# Runs again only when the requirements change.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else \
	  "Noria needs Python 3.11 or newer; run: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,serve,tune]'
	@touch $@

demo: $(STAMP) ## ask Noria's own documentation some questions
	$(BIN)/noria demo

test: $(STAMP) ## the tests; NORIA_NET=1 adds those with the real models
	$(BIN)/python -m pytest

lint: $(STAMP) ## ruff, the types, and the import rule
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test ## what must pass before a commit

format: $(STAMP) ## repair what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Two make things and are called by hand: parts.py a data set, reader.py an adapter.
bench: $(STAMP) ## every benchmark on the data in NORIA_DATA
	@test -d "$(NORIA_DATA)" || { echo "NORIA_DATA is not a folder; run: make bench NORIA_DATA=DIR" >&2; exit 2; }
	@set -e; for script in $(filter-out %/parts.py %/reader.py,$(wildcard benchmarks/[a-z]*.py)); do \
	  echo "== $$script" >&2; NORIA_DATA="$(NORIA_DATA)" $(BIN)/python "$$script"; done

# A fresh environment: what lies in .venv for other reasons is not pinned.
constraints: ## pin the newest versions that pyproject.toml allows
	rm -rf build/constraints && $(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip install --quiet '.[dev,serve,tune]'
	head -2 constraints.txt > build/constraints.txt
	build/constraints/bin/python -m pip freeze --exclude noria --exclude setuptools \
	  | sed -E 's/\+[a-z0-9.]+$$//' >> build/constraints.txt
	mv build/constraints.txt constraints.txt
