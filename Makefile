# Two commands set everything up on a fresh machine: `make demo` and `make test`. Each creates .venv itself and is quick the second time.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test bench clean

help:
	@echo "make demo    set up, train for two minutes at most on the stories that come with paznja, show the table"
	@echo "make test    set up, check style and types, run all tests"
	@echo "make bench   measure reading, training and generating on the stories (BOOKS=folder of others, NANOGPT=checkout to compare with)"
	@echo "make clean   remove .venv and what the tools leave behind; runs/ stays"

demo: .venv/installed
	$(BIN)/paznja demo $(DEMO)

test: .venv/installed-for-development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses auto --dist loadfile --cov --cov-report term $(TESTS)

BOOKS ?= src/paznja/corpus/stories

bench: .venv/installed-for-development
	$(BIN)/python benchmarks/reading.py $(BOOKS)
	$(BIN)/python benchmarks/training.py $(BOOKS)
	$(BIN)/python benchmarks/generation.py $(if $(NANOGPT),--nanogpt $(NANOGPT))

clean:
	rm -rf .venv dist build .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "paznja needs Python 3.11 or newer; say which with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python pyproject.toml constraints.txt
	@echo "Setting up (a minute or two, once) ..."
	$(PIP) --editable .
	@touch $@

.venv/installed-for-development: .venv/bin/python pyproject.toml constraints.txt
	@echo "Setting up (a minute or two, once) ..."
	$(PIP) --editable '.[dev]'
	@touch .venv/installed $@
