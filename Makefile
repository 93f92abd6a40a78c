# Everything that this project can make. `make` alone lists it.

PYTHON  ?= python3
VENV    ?= .venv
PROFILE ?= workshop
JOBS    ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
BUILD   ?= build/$(PROFILE)
PYTEST_FLAGS ?=
LOCK_FLAGS   ?=

BIN   := $(VENV)/bin
UV    := $(BIN)/uv
STAMP := $(VENV)/.stamp
PAGE   = $(BUILD)/html/index.html

# The workflow calls `shortlib` and others by name.
export PATH := $(abspath $(BIN)):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUNBUFFERED := 1
export UV_NO_PROGRESS := 1
# Many processes import the same packages; else each would compile them again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.SUFFIXES:
.PHONY: help env book test unit lint format lock benchmarks clean distclean

help: ## list the targets
	@echo "make <target>, with PROFILE=$(PROFILE) JOBS=$(JOBS) PYTHON=$(PYTHON) unless you say otherwise"
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' Makefile

env: $(STAMP) ## make .venv with the pinned packages (only when the pins have changed)

book: env ## fit what is missing, run the notebooks, build the book (PROFILE=workshop)
	$(BIN)/snakemake book --cores $(JOBS) --config profile=$(PROFILE) build=$(BUILD)
	@echo "The book: $(CURDIR)/$(PAGE)"

# There are as many workers as cores: with more than one thread each, they wait for one another.
test: env lint ## all checks: lint, unit tests, notebooks and book in the smoke profile
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not notebooks" -n $(JOBS) --dist worksteal $(PYTEST_FLAGS)
	$(BIN)/snakemake book --cores $(JOBS) --config profile=smoke build=build/smoke

unit: env ## the quick tests only, up to the first failure
	$(BIN)/python -m pytest -x -m "not slow and not notebooks" $(PYTEST_FLAGS)

lint: env ## style, direction of imports, notebooks without outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	find notebooks -name '*.ipynb' -not -path '*/.*' -exec $(BIN)/nbstripout --keep-id --verify {} +

format: env ## mend what can be mended: style, outputs in notebooks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find notebooks -name '*.ipynb' -not -path '*/.*' -exec $(BIN)/nbstripout --keep-id {} +

lock: $(UV) ## pin again after a change of pyproject.toml (LOCK_FLAGS=--upgrade for newer releases)
	$(UV) pip compile pyproject.toml --all-extras --universal --python-version 3.11 --quiet \
	    --no-emit-index-url --no-emit-find-links --no-header --no-annotate $(LOCK_FLAGS) \
	    --output-file requirements.txt
	@{ echo "# Every package at one version, for Linux and macOS, Python 3.11 and later."; \
	   echo "# Made by 'make lock' from pyproject.toml; change that file, not this one."; \
	   cat requirements.txt; } > requirements.txt.new
	@mv requirements.txt.new requirements.txt
	@$(MAKE) --no-print-directory environment.yml

benchmarks: env ## measure speed against peers
	@set -e; for script in benchmarks/[!_]*.py; do \
	    echo "== $$script"; $(BIN)/python $$script; done

clean: ## remove what was built; keeps .venv and the runs
	rm -rf build .import_linter_cache .pytest_cache .ruff_cache .hypothesis .snakemake/log
	find shortlib tests benchmarks notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) \
	    -prune -exec rm -rf {} +

distclean: clean ## also remove .venv and the workflow's memory; keeps the runs
	rm -rf $(VENV) .snakemake *.egg-info

# A conda environment gets the very same releases, so its pins are these, line by line.
environment.yml: requirements.txt
	@{ echo "# For conda users: conda brings Python, pip brings every package at the version of"; \
	   echo "# requirements.txt, so that both kinds of environment give the same results."; \
	   echo "#"; \
	   echo "#   conda env create -f environment.yml"; \
	   echo "#   conda activate shortlib"; \
	   echo "#   pip install --no-deps --no-build-isolation -e ."; \
	   echo "#   snakemake book --cores 2 --config profile=workshop"; \
	   echo "#"; \
	   echo "# Made by 'make lock' from requirements.txt; a test holds the two together."; \
	   echo "name: shortlib"; \
	   echo "channels:"; \
	   echo "  - conda-forge"; \
	   echo "  - nodefaults"; \
	   echo "dependencies:"; \
	   echo "  - python=3.11"; \
	   echo "  - pip"; \
	   echo "  - pip:"; \
	   sed -n '/^[^#]/s/^/      - /p' requirements.txt; } > $@

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "shortlib needs Python 3.11 or newer; $(PYTHON) is '$$($(PYTHON) --version 2>&1)'."; \
	    echo "Name another one: make $(firstword $(MAKECMDGOALS) env) PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	    echo "$(PYTHON) cannot make a virtual environment (on Debian: apt install python3-venv)."; \
	    exit 1; }
	$(BIN)/python -m pip install --quiet "$$(sed -n 's/^\(uv==[^ ;]*\).*/\1/p' requirements.txt)"

$(STAMP): requirements.txt pyproject.toml | $(UV)
	$(UV) pip install --python $(BIN)/python --requirement requirements.txt
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
