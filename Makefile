# Two commands matter: `make demo` and `make test`. Both set everything up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Processes find their modules compiled, whatever the surroundings say.
export PYTHONDONTWRITEBYTECODE :=
INSTALLED := $(VENV)/.installed

.PHONY: demo test thorough accessibility chaos fuzz conformance results others rollout scale onnx check lock format browser clean help

help:            ## List the commands
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/  -/'

demo: $(INSTALLED)   ## Install, then let four arms learn to weld together (some minutes)
	$(BIN)/zunft demo --output demo-output

test: $(INSTALLED) browser   ## Install, then run the whole test suite
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

thorough: $(INSTALLED) ## Run the long forms of what `make test` has a shorter form of (some minutes)
	$(BIN)/python -m pytest -n 3 --dist loadfile -m thorough

accessibility: $(INSTALLED) browser  ## Look at every page of the console in all looks, languages and widths with axe-core
	ZUNFT_ALL_WAYS=yes $(BIN)/python -m pytest tests/hub/console/test_accessibility.py

chaos: $(INSTALLED)  ## Break hubs, robots, database and store for a quarter of an hour, and count what is lost
	$(BIN)/python -m tests.chaos --faults 390 --rounds 50 --write

# FUZZ_EXAMPLES: for each endpoint and each kind of damage; FUZZ_SECONDS: of Atheris, where it has a wheel.
FUZZ_EXAMPLES ?= 300
FUZZ_SECONDS ?= 300

fuzz: $(INSTALLED)   ## Look for requests and files that the hub cannot take (about twenty minutes)
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(BIN)/python -m pytest --timeout 3600 tests/hub/api/test_fuzz_api.py tests/skills/test_fuzz_files.py
	@$(BIN)/python -m tools.install fuzz \
		|| echo "Atheris has no wheel for this Python: skipped."
	@! $(BIN)/python -c 'import atheris' 2>/dev/null || \
		$(BIN)/python -m tests.skills.fuzz_files $(FUZZ_SECONDS) .fuzz

# The suite pins other versions of what the robot is made of: it gets an environment of its own, kept for the next time.
CONFORMANCE ?= https://github.com/theupdateframework/tuf-conformance/archive/refs/tags/v2.4.0.tar.gz
SUITE := .conformance

conformance: $(INSTALLED)  ## Run the TUF project's conformance suite against the robot's updater (ten minutes; needs `faketime`)
	@command -v faketime >/dev/null || { echo "This needs faketime: apt-get install faketime."; exit 1; }
	@test -x $(SUITE)/bin/pytest || { $(PYTHON) -m venv $(SUITE) && $(SUITE)/bin/pip install --quiet $(CONFORMANCE); }
	@printf '#!/bin/sh\nexec "%s/$(BIN)/python" -m fleet.tuf_client "$$@"\n' "$(CURDIR)" > $(SUITE)/client && chmod +x $(SUITE)/client
	cd $(SUITE) && bin/pytest -q -c /dev/null --rootdir . lib/python*/site-packages/tuf_conformance --entrypoint "$(CURDIR)/$(SUITE)/client"

results: $(INSTALLED)   ## Run what is missing of the learning experiments, and write docs/results.md (hours; QUICK=--quick: minutes)
	$(BIN)/python -W ignore -m benchmarks.learning $(QUICK)

others: $(INSTALLED)    ## Run what is missing of others' experiments with our merging, and write docs/others.md (an hour)
	$(BIN)/python -W ignore -m benchmarks.others $(QUICK)

rollout: $(INSTALLED)  ## Roll a bad version out to 200 robots and a good one back from 1,000, and write docs/rollouts.md (a quarter of an hour)
	$(BIN)/python -W ignore -m benchmarks.rollout
	$(BIN)/python -m tools.make_docs

scale: $(INSTALLED)    ## Run up to 10,000 robots on one hub, simulate a million, and write docs/scale.md (eight minutes, quiet cores)
	$(BIN)/python -W ignore -m benchmarks.scale
	$(BIN)/python -m tools.make_docs

onnx: $(INSTALLED)     ## Compare skills with their ONNX files on all tasks, and print how far apart they are
	$(BIN)/python -W ignore -m benchmarks.onnx

check: $(INSTALLED)  ## Lint, types and the import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Keeps the versions that are pinned; UPGRADE=--upgrade takes newer ones.
UV := .uv
UPGRADE ?=

lock:            ## Pin all versions with the hashes of their files anew, in constraints.txt
	@test -x $(UV)/bin/uv || { $(PYTHON) -m venv $(UV) && $(UV)/bin/pip install --quiet uv==0.13.9; }
	$(PYTHON) -m tools.lock $(UV)/bin/uv $(UPGRADE)

format: $(INSTALLED) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Zunft needs Python 3.11 or newer; say PYTHON=python3.12 make ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m tools.install dev
	$(BIN)/python -m tools.install --group others
	$(BIN)/python -m tools.install --group lerobot --target $(VENV)/lerobot
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@# All cores compile what pip would on one; some packages bring templates that are no Python yet.
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null 2>&1 || true
	@touch $(INSTALLED)

# One test opens the console in a real browser. Where it cannot be installed, that test says so and is skipped.
browser:
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
		else \
			echo "No Chromium here and no right to install it: the browser test will be skipped."; \
		fi; }

clean:           ## Remove the environment and everything that was made
	rm -rf $(VENV) build dist *.egg-info demo-output zunft-data
