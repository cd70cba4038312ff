# One way in: make run, make test, make dev. Everything lives in .venv and in the data home (./data, or ONEDATA_HOME).
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
# Temporary homes lie in memory where the machine has it to spare (8 GB), and go once their test has passed: a test
# writes hundreds of small files and would wait for the disk after each.
SPARE := awk '/MemAvailable/ && $$2 > 8000000' /proc/meminfo 2>/dev/null
MEMORY := $(shell [ -n "$$($(SPARE))" ] && [ -w /dev/shm ] && echo /dev/shm)
PYTEST := --dist loadscope --no-loadscope-reorder -o tmp_path_retention_policy=failed
export PYTEST_DEBUG_TEMPROOT := $(MEMORY)

.PHONY: help setup run check test faults dev lint mutants clean

help:
	@echo "make run    set up, generate a small retailer, run its nights, print the result"
	@echo "make check  set up, run the quick unit tests and the layers: while you work"
	@echo "make test   set up, run every test but those of make faults, before you push"
	@echo "make faults damage, kill, fill up and restore homes: the faults harness and whole nights (minutes)"
	@echo "make dev    set up, open the Dagster UI on http://127.0.0.1:3000"
	@echo "make lint   ruff, mypy, sqlfluff"
	@echo "make mutants  change the code one operator at a time, print the changes that no test sees (hours)"
	@echo "make clean  remove ./data: the generated retailer and every data home in it"

setup: $(INSTALLED)

$(INSTALLED): requirements.lock pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
		told = f"this is {v[0]}.{v[1]}: make setup PYTHON=python3.12"; \
		sys.exit(0 if (3, 11) <= v[:2] < (3, 14) else f"onedata needs Python 3.11 to 3.13, {told}")'
	@echo "setup: an isolated environment in $(VENV), locked versions (one to three minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@mkdir -p build/names && ln -sfn ../../assets build/names/onedata_assets
	@touch $@
	@echo "setup: done"

run: setup
	@$(VENV)/bin/onedata demo

check: setup
	@$(VENV)/bin/python -m pytest --check -n 2 $(PYTEST)

test: setup
	@echo "test: unit, graph, gates, layers, nights, examples"
	@$(VENV)/bin/python -m pytest -n auto --maxprocesses 4 $(PYTEST) --ignore tests/faults

faults: setup
	@$(VENV)/bin/python -m pytest -n auto --maxprocesses 4 $(PYTEST) tests/faults

dev: setup
	@$(VENV)/bin/onedata dev

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/sqlfluff lint --processes 2 dbt_project/models dbt_project/balances

mutants: setup
	$(VENV)/bin/python benchmarks/mutants.py
	$(VENV)/bin/python benchmarks/mutants.py --sample 300 \
		--modules 'onedata/landing/*,onedata/identity/*,onedata/quality/*'
	$(VENV)/bin/python benchmarks/mutants_sql.py

clean:
	rm -rf data
