PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help app test test-gcp test-cloud test-slow fuzz audit licences lint format hooks bench bench-full bench-gcp screenshots clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

$(VENV)/.app: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

app: $(VENV)/.app  ## install and start the app on http://127.0.0.1:8501
	$(BIN)/python -m streamlit run app.py $(OPTIONS)

test: $(VENV)/.dev lint  ## lint, types, then every ordinary test
	$(BIN)/python -m pytest -n logical -m "not slow and not gcp"

test-gcp: $(VENV)/.dev  ## the Google Cloud warehouse, on emulators (Python 3.13 or uv)
	sh tests/gcp/install.sh
	$(BIN)/python -m pytest -n logical -o timeout=300 -m "gcp and not slow"

test-cloud: $(VENV)/.dev  ## the same contract in a real project: GCP_CREDS, GCP_PROJECT_ID, GCP_LOCATION
	$(BIN)/python -m tests.gcp.cloud

test-slow: $(VENV)/.dev  ## the tests that take minutes
	$(BIN)/python -m pytest -m "slow and alone and not gcp"
	$(BIN)/python -m pytest -n logical -m "slow and not alone and not gcp"

fuzz: $(VENV)/.dev  ## text and bytes thrown at all that reads what people write, 109,500 cases
	$(BIN)/python -m tests.fuzz

audit: $(VENV)/.dev  ## known weaknesses of the packages we use: needs a network
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	$(BIN)/pip-audit --requirement requirements.txt --requirement requirements-dev.txt

licences: $(VENV)/.dev  ## write docs/licences.md anew
	$(BIN)/python -m tests.licences

lint: $(VENV)/.dev  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## mend what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: $(VENV)/.dev  ## lint, format and types before every commit
	$(BIN)/pre-commit install

bench: $(VENV)/.dev  ## speed and memory against the DuckDB floor, as ratios
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.backfill
	$(BIN)/python -m benchmarks.charts
	$(BIN)/python -m benchmarks.preview
	$(BIN)/python -m benchmarks.answers
	@if [ -x .venv-emulators/bin/python ]; then $(MAKE) bench-gcp; \
	else echo "Google Cloud is left out: make bench-gcp installs its emulators."; fi

bench-full: $(VENV)/.dev  ## three whole years, 132 M rows: half an hour and 25 GB of disk
	$(BIN)/python -m benchmarks.full $(OPTIONS)

bench-gcp: $(VENV)/.dev  ## what our code adds to a load in Google Cloud, on emulators
	sh tests/gcp/install.sh
	$(BIN)/python -m benchmarks.google

screenshots: $(VENV)/.dev  ## pictures of every page, light and dark, into docs/screenshots
	$(BIN)/python -m tests.screenshots

clean:  ## remove the virtual environment and caches, never your data
	rm -rf $(VENV) .venv-emulators .mypy_cache .ruff_cache .pytest_cache .hypothesis
