# `make demo` and `make test` set everything up on a fresh Debian 12 or Raspberry Pi OS: python3, make and a network do.
# Everything Python lives in .venv; .make/ remembers what has been set up.

PYTHON ?= python3
BIN := .venv/bin
BUILD_PACKAGES := gcc libc6-dev python3-dev python3-venv
TEST_PACKAGES := chromium chromium-driver faketime fonts-dejavu-core influxdb mosquitto nginx-light openssl sigrok-cli strace
BENCH_PACKAGES := numpy==2.4.6
CORE := setup.py $(wildcard edge/counting/*.py edge/counting/*.pxd)

.PHONY: demo test bench compare faults lint docs pins clean

demo: .make/demo  ## Six simulated hubs, live on http://127.0.0.1:8000 (options: make demo ARGS="--for 20")
	@$(BIN)/foyer demo $(ARGS)

test: .make/test lint  ## Everything: style, types, borders, and every test on real servers
	@$(BIN)/pytest $(ARGS)

lint: .make/test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .make/bench  ## Ratios, each measured in one run on this machine
	@for bench in tests/benchmarks/bench_*.py; do $(BIN)/python $$bench || exit 1; done

compare: .make/test  ## The collector beside Node-RED and the usual scripts, on one broker and InfluxDB (needs node and npm)
	@$(BIN)/python tests/benchmarks/compare.py $(ARGS)

faults: .make/test  ## Real processes killed at random moments; what was lost and what is there twice (options: ARGS="--runs 20")
	@PYTHONPATH=.:tests $(BIN)/python -m faults $(ARGS)

docs: .make/demo  ## Write the files under docs/ that are made from the code
	@$(BIN)/python -m firmware_cfg.asyncapi docs/wire

pins: .make/test  ## After raising a dependency: note the versions that the tests ran with
	@$(BIN)/pip freeze --exclude-editable --exclude foyer-hub > constraints.txt

clean:
	rm -rf .venv .make build *.egg-info
	find edge/counting -name '*.c' -o -name '*.so' | xargs -r rm

# A compiler and the headers may be there without Debian's packages (another Python); then nothing is installed.
.make/python:
	@mkdir -p .make
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "foyer: needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, pathlib, shutil, sys, sysconfig; \
	  sys.exit(not (shutil.which("cc") and pathlib.Path(sysconfig.get_path("include"), "Python.h").exists()))' \
	  2>/dev/null || deploy/apt-install $(BUILD_PACKAGES)
	@touch $@

.venv/bin/pip: .make/python
	@$(PYTHON) -m venv .venv
	@touch $@

.make/demo: .venv/bin/pip pyproject.toml constraints.txt $(CORE)
	@echo "foyer: setting up .venv and building the counting core" >&2
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@

# Not into .venv: pyarrow loads numpy where it finds it, and what is measured would be slower than what is used.
.make/bench: .make/test
	@$(BIN)/pip install -q --disable-pip-version-check --upgrade --target build/bench $(BENCH_PACKAGES)
	@touch $@

.make/test: .make/demo
	@deploy/apt-install $(TEST_PACKAGES)
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
