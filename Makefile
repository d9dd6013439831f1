# Everything needs only Python 3.11+ and git; the virtual environment is made on first use.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo docs test test-fast test-builds check format readme gallery ablation bench setup clean
demo: setup            ## the main job: train a few hundred networks, compare with the prediction
	$(BIN)/dcrit validate quick --out validation/quick

# One worker a core: one more took longer. Byte code is kept: without it, every worker compiles all tests first.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 8

test: setup            ## all tests, on all cores
	$(PYTEST) -m "not builds"

test-fast: setup       ## those that take a quarter of a second at most and start no process
	$(PYTEST) -m "not (builds or ray or browser or kills or processes or slow)"

test-builds: setup     ## build what is shipped, install it elsewhere and use it
	$(BIN)/pytest tests/builds

check: setup           ## linter, formatter check, type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# mkdocs-material warns of another project's plans on every build.
docs: setup            ## the documentation as pages in site/, to be opened by double-click; needs no network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo site/index.html

# Each takes the validations that were run here; what was not run stays as it was committed.
readme: setup          ## remake the README's tables from the last make demo and dcrit validate standard
	$(BIN)/dcrit reproduce readme $(dir $(wildcard validation/quick/report.json validation/standard/report.json))

gallery: setup         ## remake figures/gallery/, pictures and report, from the last dcrit validate standard
	$(BIN)/dcrit reproduce gallery validation/standard

ablation: setup        ## remake docs/results/ablation.md: every refinement and baseline on the held-out configurations
	$(BIN)/dcrit reproduce ablation

bench: setup           ## speed and cost, in ratios of one run; writes benchmarks/results.json
	$(BIN)/python -m benchmarks

setup: .venv/ready

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("dcrit needs Python 3.11 or newer, found " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
	@echo "ready; to use dcrit in this shell: source .venv/bin/activate"

clean:
	rm -rf .venv build dist *.egg-info
