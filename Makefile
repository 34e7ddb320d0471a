# make run    opens the app              make test   lint and every test, browser tests included
# make bench  prints speeds beside peers  make lint   ruff and mypy alone
#             (ONLY="page model": these sections alone)
PYTHON ?= python3
BIN := .venv/bin
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)
SUDO := $(shell test "$$(id -u)" = 0 || echo sudo)
export CHROMIUM

.PHONY: run test lint bench chromium

run: .venv/app.done
	$(BIN)/streamlit run app.py

test: lint chromium
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: .venv/tests.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: .venv/tests.done chromium
	$(BIN)/python -m tests.bench $(addprefix --only ,$(ONLY))

chromium:
	@test -n "$(CHROMIUM)" || { $(SUDO) apt-get update -qq && $(SUDO) apt-get install -y -qq chromium; }

.venv/app.done: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt
	touch $@

.venv/tests.done: tests/requirements.txt .venv/app.done
	$(BIN)/pip install --quiet --requirement tests/requirements.txt
	touch $@
