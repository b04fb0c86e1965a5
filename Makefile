# `make demo` and `make test` work on a fresh machine with Python 3.11 and a C compiler.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2

.PHONY: demo test check docs format notebooks clean

demo: $(READY)
	$(BIN)/keras-shrink demo

test: check docs
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, in build/site; a broken link is an error.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Runs notebooks from top to bottom and keeps their outputs; NOTEBOOKS=... for some of them.
notebooks: $(READY)
	$(BIN)/python notebooks/run.py $(NOTEBOOKS)

$(READY): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[demo,docs,emulate,test]'
	touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info keras-shrink-demo
