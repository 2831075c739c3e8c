# The kit's commands. `make` alone lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export PYTHON

.PHONY: help setup setup-test run lab test lint notebooks schema lock benchmark clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: ## Make .venv with everything that the kit needs
	@tools/set_up.sh

setup-test:
	@tools/set_up.sh test
	@tools/set_up_clients.sh

run: setup ## Walk the whole lesson headless, on a sandbox of its own, and write a report
	@.venv/bin/idc run --fresh-sandbox

lab: setup ## Open JupyterLab on the first notebook, with the sandbox running
	@.venv/bin/idc lab

test: setup-test ## Run every test, style and types among them
	.venv/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

lint: setup-test ## Look at style and types
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy -p idc_aws -p idc_helpers -p idc_runner -p idc_sandbox

notebooks: setup-test ## Execute all notebooks on a fresh seeded sandbox and store their outputs
	.venv/bin/python -m idc_runner.stored_outputs make

schema: setup ## Write parameters/schema.json anew
	.venv/bin/idc parameters schema --out parameters/schema.json

lock: ## Write requirements.lock and requirements-test.lock anew: versions and hashes of all that is installed
	@tools/lock.sh $(if $(UPGRADE),--upgrade)

benchmark: setup-test ## Time the lesson, batches and the sandbox beside papermill and moto, and JupyterLab's start
	.venv/bin/python benchmarks/lesson.py
	.venv/bin/python benchmarks/lesson.py --papermill
	.venv/bin/python benchmarks/lab.py
	.venv/bin/python benchmarks/sandbox.py
	.venv/bin/python benchmarks/batch.py

clean: ## Remove .venv and caches; runs/ and lab/ stay: undo needs receipts, and lab/ is a person's own
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis ./*.egg-info
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
