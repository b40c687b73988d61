# `make run` and `make test` do all their set-up: they need git, make and Python 3.11 or newer.
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
CORES ?= all
CONFIG ?=
STAMP := $(VENV)/.installed
# One thread a process: two on a busy machine are many times slower.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
BIN := $(abspath $(VENV))/bin
SNAKEMAKE := PATH="$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES) $(if $(CONFIG),--configfile $(CONFIG))

.PHONY: run test env bench lint clean

run: $(STAMP)  ## the main job; CONFIG=config/t2k.yaml for another one
	$(SNAKEMAKE)

test: $(STAMP)  ## every test
	PATH="$(BIN):$$PATH" $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests

env: $(STAMP)  ## only the environment

bench: $(STAMP)  ## the speed ratios at a size of minutes; the figures quoted are of training.py's own defaults
	$(BIN)/python benchmarks/generator.py
	$(BIN)/python benchmarks/sampling.py
	$(BIN)/python benchmarks/ingestion.py
	$(BIN)/python benchmarks/closure.py
	$(BIN)/python benchmarks/closure_training.py
	$(BIN)/python benchmarks/oscillation.py
	$(BIN)/python benchmarks/bootstrap.py
	$(BIN)/python benchmarks/universes.py
	$(BIN)/python benchmarks/dag.py
	$(BIN)/python benchmarks/training.py --throws 20000 --seeds 1

lint: $(STAMP)
	$(BIN)/ruff check workflow tests benchmarks resources
	PATH="$(BIN):$$PATH" $(BIN)/snakemake --lint

clean:  ## everything that was made, the environment included
	rm -rf $(VENV) $(VENV).boot results logs .snakemake

# venv needs ensurepip (python3-venv on Debian); virtualenv in a folder of its own does without
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nuinfer needs Python 3.11 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  $(PYTHON) -m pip install -q --target $(VENV).boot virtualenv && \
	  PYTHONPATH=$(VENV).boot $(PYTHON) -m virtualenv -q $(VENV); }

$(STAMP): $(VENV)/bin/python pyproject.toml envs/constraints.txt
	$(BIN)/pip install -q "$(TORCH)" -c envs/constraints.txt
	$(BIN)/pip install -q -c envs/constraints.txt -e '.[test]'
	touch $@
