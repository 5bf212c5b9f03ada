# The tasks of the house. `make setup` is what all others call; see CONTRIBUTING.md.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEMO   := build/demo
# A process per core, each of which takes whole files; on 16 cores as many PyTorches would not fit into memory.
SPREAD := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: setup demo programs test test-all check bench clean

setup: $(STAMP)

# Every version is pinned by constraints.txt. Installed in place, so that an edit needs no new installation.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tacit needs Python 3.11 or newer; try: make setup PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (a minute or two)"
	@$(BIN)/pip install -qq --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

# Compile the embedded digits program, show the report, run the binary on a picture of a digit.
demo: setup
	@rm -rf $(DEMO)
	$(BIN)/python -m tacit_programs.digits $(DEMO)/digits
	$(BIN)/tacit compile $(DEMO)/digits -o $(DEMO)/digits.tacit
	$(BIN)/tacit inspect $(DEMO)/digits.tacit
	$(BIN)/tacit run $(DEMO)/digits.tacit $(DEMO)/digits/picture.png

# Begin every domain program with its embedded data, compile it in few steps, run it on one example. Needs no network.
programs: setup
	@rm -rf build/programs
	$(BIN)/python -m tacit_programs build/programs

test: setup
	$(BIN)/python -m pytest $(SPREAD) -m "not system"

test-all: setup
	$(BIN)/python -m pytest $(SPREAD)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/house

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
