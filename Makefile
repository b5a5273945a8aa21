# `make run` opens the window, `make test` proves it. Both install first; installing again is quick.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# compiled files are kept whatever the shell says: windows, tests and benches start Python again and again
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test install check bench reproduce screenshots torture clean

run: $(VENV)/installed
	$(BIN)/python main.py

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist loadfile

install: $(VENV)/installed

check: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports

bench: $(VENV)/installed-bench
	$(BIN)/python -m tests.bench

reproduce: $(VENV)/installed-test
	$(BIN)/python -m tests.reproduce

screenshots: $(VENV)/installed-test
	$(BIN)/python -m tests.screenshots

torture: $(VENV)/installed-test
	$(BIN)/python -m pytest -q -m torture --timeout 3600

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt resources/system_libraries.sh | $(BIN)/python
	sh resources/system_libraries.sh
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,real-data,cluster]'
	touch $@

$(VENV)/installed-bench: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
