PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests wait for servers, processes and clocks, so that more workers than cores use the cores.
PARALLEL = -n $$($(BIN)/python -c "import os; print(os.cpu_count() * 3 // 2)") --dist worksteal

.PHONY: help app test test-browser test-gcp test-readers test-cloud test-slow test-slow-short fuzz audit outdated licences lint format house hooks bench bench-full bench-gcp screenshots clean

help:  ## list all targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

$(VENV)/.app: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt requirements-nli.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

app: $(VENV)/.app  ## install and start the app on http://127.0.0.1:8501
	$(BIN)/python -m streamlit run app.py $(OPTIONS)

test: $(VENV)/.dev lint  ## lint, types and all tests that need nothing else
	@started=$$(date +%s); \
	$(BIN)/python -m pytest $(PARALLEL) --durations=10 -m "not slow and not gcp and not readers and not browser"; \
	code=$$?; echo "The tests took $$(( $$(date +%s) - started )) s."; exit $$code

test-browser: $(VENV)/.dev  ## the pages in Chromium
	$(BIN)/python -m pytest $(PARALLEL) --durations=10 -o timeout=300 \
	  -m "browser and not slow and not gcp"

test-gcp: $(VENV)/.dev  ## test the Google Cloud warehouse on emulators (Python 3.13 or uv)
	sh tests/support/gcp/install.sh
	$(BIN)/python -m pytest $(PARALLEL) --durations=10 -o timeout=300 -m "gcp and not slow"

test-readers: $(VENV)/.dev  ## DuckDB 1.2 to 1.5, pyarrow and dbt read what Fareground writes
	PYTHON=$(PYTHON) sh tests/support/readers/install.sh
	$(BIN)/python -m pytest $(PARALLEL) -m "readers and not long"

test-cloud: $(VENV)/.dev  ## the same tests in a real project: GCP_CREDS, GCP_PROJECT_ID, GCP_LOCATION
	$(BIN)/python -m tests.support.gcp.cloud

test-slow: $(VENV)/.dev  ## tests that take minutes, before a release
	$(BIN)/python -m pytest -m "slow and alone and not browser and not gcp"
	$(BIN)/python -m pytest -m "slow and alone and browser"
	$(BIN)/python -m pytest $(PARALLEL) -m "(slow or hypothesis) and not alone and not gcp and not readers" \
	  --hypothesis-profile=slow
	PYTHON=$(PYTHON) sh tests/support/readers/install.sh
	$(BIN)/python -m pytest -m "readers and long"

test-slow-short: $(VENV)/.dev  ## slow tests that take a minute or less, for CI
	$(BIN)/python -m pytest -m "slow and alone and not browser and not long and not gcp"
	$(BIN)/python -m pytest -m "slow and alone and browser and not long"
	$(BIN)/python -m pytest $(PARALLEL) -m "slow and not alone and not long and not gcp and not readers"

fuzz: $(VENV)/.dev  ## random text and bytes for every parser of user input, 109,500 cases
	$(BIN)/python -m tests.fuzz

audit: $(VENV)/.dev  ## known vulnerabilities of our packages; needs a network
	$(BIN)/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	$(BIN)/pip-audit --requirement requirements.txt --requirement requirements-dev.txt

outdated: $(VENV)/.dev  ## pinned packages that have a newer release: needs a network
	@$(BIN)/python -m pip --disable-pip-version-check list --outdated

licences: $(VENV)/.dev  ## rewrite docs/licences.md
	$(BIN)/python -m tests.licences

lint: $(VENV)/.dev  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## fix what lint can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

house: $(VENV)/.dev  ## modules and imports by folder, and violations of docs/architecture.md
	$(BIN)/python -m tests.house

hooks: $(VENV)/.dev  ## install lint, format and types as a pre-commit hook
	$(BIN)/pre-commit install

bench: $(VENV)/.dev  ## speed and memory compared with DuckDB alone
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.backfill
	$(BIN)/python -m benchmarks.charts
	$(BIN)/python -m benchmarks.visitors
	$(BIN)/python -m benchmarks.preview
	$(BIN)/python -m benchmarks.answers
	@if [ -x .venv-emulators/bin/python ]; then $(MAKE) bench-gcp; \
	else echo "Google Cloud is left out: make bench-gcp installs its emulators."; fi

bench-full: $(VENV)/.dev  ## three whole years, 132 M rows: half an hour and 25 GB of disk
	$(BIN)/python -m benchmarks.full $(OPTIONS)

bench-gcp: $(VENV)/.dev  ## what our code adds to a load in Google Cloud, on emulators
	sh tests/support/gcp/install.sh
	$(BIN)/python -m benchmarks.google

screenshots: $(VENV)/.dev  ## images of every page, light and dark, into docs/screenshots
	$(BIN)/python -m tests.screenshots

clean:  ## remove the virtual environment and caches, never your data
	rm -rf $(VENV) .venv-emulators .mypy_cache .ruff_cache .pytest_cache .hypothesis
