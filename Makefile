# Everything runs in .venv, which is made on first use and brought up to date when what it was
# made from changes. `make PYTHON=python3.12 ...` chooses the interpreter.

VENV := .venv
# Run by its path, the build command does not import the package and Keras.
BUILD_NATIVE := mallenet_tf/ops/build.py
PYTHON_IN_VENV := $(VENV)/bin/python
INSTALL := requirements/install.sh
INSTALLED_FROM := pyproject.toml setup.py requirements/constraints.txt $(INSTALL)

# An interpreter that is asked for by name replaces an environment of another one; without, the
# environment's own is kept. One that an interrupted run left is made anew, whatever it has.
MADE_WITH := $(wildcard $(shell cat $(VENV)/.python 2>/dev/null))
ifeq ($(origin PYTHON), undefined)
PYTHON := $(or $(MADE_WITH), python3)
else ifneq ($(MADE_WITH), $(shell $(PYTHON) -c "import os, sys; print(os.path.realpath(sys.executable))" 2>/dev/null))
REMAKE := remake
endif
ifneq ($(wildcard $(VENV)/.incomplete),)
REMAKE := remake
endif

.DEFAULT_GOAL := help
.PHONY: help quickstart test test-slow lint format docs native bench bazel clean remake
.PHONY: web web-serve test-web

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

quickstart: $(VENV)/.installed-quickstart ## install, denoise a photograph, train a small network (10 minutes)
	@$(PYTHON_IN_VENV) $(BUILD_NATIVE) || echo "using the slower reference implementation"
	$(PYTHON_IN_VENV) tools/quickstart.py

test: $(VENV)/.installed-test native ## run the whole test suite
	$(PYTHON_IN_VENV) -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile

test-slow: $(VENV)/.installed-test native ## run the tests that take minutes each
	$(PYTHON_IN_VENV) -m pytest -m slow

lint: $(VENV)/.installed-test ## check style, formatting and types
	$(PYTHON_IN_VENV) -m ruff check .
	$(PYTHON_IN_VENV) -m ruff format --check .
	$(PYTHON_IN_VENV) -m mypy

format: $(VENV)/.installed-test ## format the code and sort the imports
	$(PYTHON_IN_VENV) -m ruff check --select I --fix .
	$(PYTHON_IN_VENV) -m ruff format .

docs: $(VENV)/.installed-docs ## build the documentation site into build/site
	NO_MKDOCS_2_WARNING=1 $(PYTHON_IN_VENV) -m mkdocs build --quiet
	@echo "open build/site/index.html"

web: web/node_modules/.installed web/networks/settings.json ## build the page that denoises in the browser into build/web
	npm --prefix web run --silent build
	@echo "make web-serve serves build/web"

web-serve: web ## serve the page on this computer
	npm --prefix web run --silent serve

test-web: web $(VENV)/.installed-test ## test the page in Chromium, against Python
	$(PYTHON_IN_VENV) web/tests/make_expected.py build/web-tests
	npm --prefix web test --silent

web/node_modules/.installed: web/package.json web/package-lock.json
	npm --prefix web ci --no-audit --no-fund --loglevel=error
	@touch $@

# The networks are exported again when weights or constants change.
web/networks/settings.json: $(VENV)/.installed-export web/export_networks.py $(wildcard \
  mallenet_tf/weights/* mallenet_tf/inference/*.py mallenet_tf/exporting/*.py)
	$(PYTHON_IN_VENV) web/export_networks.py

native: $(VENV)/.installed-quickstart ## build the native op beside the package
	@$(PYTHON_IN_VENV) $(BUILD_NATIVE)

bench: $(VENV)/.installed-profile native ## time the native op against TensorFlow and PyTorch (12 minutes)
	$(PYTHON_IN_VENV) tools/benchmarks/bench_slice.py --output=build/bench
	$(PYTHON_IN_VENV) tools/benchmarks/bench_model.py --output=build/bench

bazel: $(VENV)/.installed-quickstart ## build the native ops with Bazel and check them
	PYTHON_BIN_PATH=$(CURDIR)/$(PYTHON_IN_VENV) tools/checks/check_bazel.sh

clean: ## remove the environment and everything that was built
	rm -rf $(VENV) build dist *.egg-info mallenet_tf/ops/_native web/node_modules web/networks
	rm -rf .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The other environments are the quickstart's with more in them.
$(VENV)/.installed-docs: $(VENV)/.installed-quickstart
$(VENV)/.installed-export: $(VENV)/.installed-quickstart
$(VENV)/.installed-test: $(VENV)/.installed-quickstart
$(VENV)/.installed-profile: $(VENV)/.installed-quickstart

$(VENV)/.installed-%: $(INSTALLED_FROM) $(REMAKE)
	@sh $(INSTALL) $(PYTHON) $(VENV) $*
