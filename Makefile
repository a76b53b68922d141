# make help    this list
# make demo    set up a disposable Redmine from nothing by examples/from-nothing (REDMINE_VERSION=6.0 or 5.0 for another)
# make fast    tests that need no Redmine and no browser and take no seconds, in less than a minute
# make coverage  the same, with the lines that they reach; the riskiest modules need 85 percent
# make test    style, types, layers and all tests, against real Redmines and in Chromium (ARGS='-k sandbox' for some of them)
# make test-all  the same, every test on Redmine 5.0, 6.0 and 6.1: before a release
# make prove   long random runs, kills and whole copies; each write and each read with each fault (PROVE=CASE; CONTRIBUTING.md)
# make regen   write the generated files: schemas, reference, commands, man page, golden files
# make docs    the documentation as a site, in site/
# make dist    the wheel and the source distribution, in dist/, the same bytes from the same commit
# make release-notes VERSION=0.1.0   what CHANGELOG.md says about a version; without VERSION: what is not released yet
# make bench   how fast it is, beside other ways to do the same (ARGS='--only create'; --write for docs/performance.md)
# make bench-fleet   what one runner and a matrix of them do for 200 Redmines
# make lint    style, types and layers only
# make clean   remove what make made here; sandboxes go by `reconciler sandbox stop --all --destroy`

PYTHON ?= python3
ARGS ?=
BIN := $(CURDIR)/.venv/bin
INSTALLED := .venv/.installed

# The environment is the project's own, whatever virtual environment the caller is in. Without bytecode, each worker and
# each command that a test starts would compile all modules anew.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE

.PHONY: help demo fast coverage ready redmines chromium test test-all prove prove-tests prove-faults regen docs dist release-notes bench bench-fleet lint clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# make /make /p' $(lastword $(MAKEFILE_LIST))

demo: $(INSTALLED)
	@PATH="$(BIN):$$PATH" sh examples/demo.sh

fast: $(INSTALLED)
	$(BIN)/pytest -n 2 -m "not server and not browser and not package and not slow" $(ARGS)

# Pure logic that goes wrong in silence: which object is which, what an export says and leaves out.
RISKY := kinds/issues/identity kinds/issues/similarity kinds/issues/made_keys kinds/issues/export \
  kinds/_inherited_roles export/describe export/write_keys export/inventory export/sanitize export/pseudonyms

coverage: $(INSTALLED)
	$(BIN)/pytest -n 2 -m "not server and not browser and not package" --cov=reconciler --cov-report= $(ARGS)
	$(BIN)/coverage report --skip-covered
	@for module in $(RISKY); do $(BIN)/coverage report --include="reconciler/$$module.py" --fail-under=85 >/dev/null || { \
	  echo "Less than 85 percent of $$module is tested without a server." >&2; exit 1; }; done

# Two for each version of Redmine. With two cores as well: many tests wait for a time-out or for their server.
WORKERS ?= 4

test: ready
	$(BIN)/pytest -n $(WORKERS) $(ARGS)

test-all: export RECONCILER_TEST_VERSIONS = 5.0,6.0,6.1
test-all: ready
	$(BIN)/pytest -n $(WORKERS) $(ARGS)

# All at once: most of it waits for the network.
ready: $(INSTALLED)
	@$(MAKE) --no-print-directory -j4 -Otarget lint chromium redmines .venv/.compiled

redmines: $(INSTALLED)
	@$(BIN)/python tests/helpers/redmines.py

# The first time, each worker would compile all tests by itself.
.venv/.compiled: $(INSTALLED)
	@$(BIN)/pytest --collect-only -qq >/dev/null 2>&1 || true
	@touch $@

# Without it, the tests of HTML pages fail and say what to install; all others run.
chromium: $(INSTALLED)
	@$(BIN)/python tests/helpers/chromium.py >/dev/null 2>&1 || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || true
	@$(BIN)/python tests/helpers/chromium.py >/dev/null || true

REDMINE ?= 6.1
JOBS ?= 2

prove: $(if $(PROVE),,prove-tests) prove-faults

prove-tests: $(INSTALLED)
	@RECONCILER_PROVE=$(or $(PART),all) $(BIN)/pytest -q -n $(JOBS)

prove-faults: $(INSTALLED)
	@PYTHONPATH=tests/helpers $(BIN)/python tests/prove --redmine $(REDMINE) --jobs $(JOBS) \
	  $(if $(PART),--part $(PART)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(PROVE),--only '$(PROVE)')

regen: $(INSTALLED)
	$(BIN)/python tests/helpers/kind_index.py
	$(BIN)/python tests/helpers/generated.py

docs: $(INSTALLED)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "Written: site/index.html"
	@echo "With the search: python3 -m http.server --directory site"

dist: $(INSTALLED)
	@$(BIN)/python tools/dist.py

release-notes: $(INSTALLED)
	@$(BIN)/python tools/release_notes.py $(VERSION)

BENCH := .venv/.bench

# As pip installs it: with bytecode, also where PYTHONDONTWRITEBYTECODE is set. Without, each start compiles all modules.
bench: $(BENCH)
	@$(BIN)/python -m compileall -q reconciler
	@$(BIN)/python benchmarks/bench.py $(ARGS)

bench-fleet: $(BENCH)
	@$(BIN)/python -m compileall -q reconciler
	@$(BIN)/python benchmarks/bench.py --only fleet $(ARGS)

$(BENCH): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@touch $@

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv .prove build dist site *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or later is needed. Name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv; } || { \
	  echo "Python's venv is missing. Install it first: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
