# Everything a fresh machine with Python 3.11 needs: `make demo` and `make test` set themselves up.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

FUZZ_SECONDS ?= 600
FUZZ_SEED ?= $(shell date +%Y%m%d)

# Compiled modules are kept, also where the environment says otherwise: tests start the tool some hundred times.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test programs quick test-lang test-vm test-machine test-hds fuzz bench measured coverage check docs outputs picture tables clean

demo: $(READY)
	$(BIN)/hds run examples/syscall_log.hds examples/guests/greet.asm

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not programs and not lasting and not walls"

# The second stage: what lasts, and real programs, which need compilers, Debian's packages, Wine's DLLs and wheels (.ci/run
# gets them).
programs: $(READY)
	$(BIN)/python -m pytest -n 2 --dist load -m "programs or lasting"

# While working: the language and the virtual machine, without what is marked slow (`make check` has the walls).
quick: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not lasting and not programs and not walls" tests/lang tests/vm

test-lang test-vm test-machine test-hds: test-%: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/$*

# What must hold, for FUZZ_SECONDS in all: known failures first, then new cases of every law.
fuzz: $(READY)
	$(BIN)/python -m pytest tests/hds/fuzzing/test_regressions.py
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n 2 --dist loadfile -m "hypothesis or nightly"
	$(BIN)/hds fuzz --seconds $$(($(FUZZ_SECONDS) * 2 / 5)) --seed $(FUZZ_SEED) --save build/fuzz
	$(BIN)/python tests/hds/fuzzing/evaluator_law.py --seconds $$(($(FUZZ_SECONDS) * 2 / 5)) --seed $(FUZZ_SEED) \
		--save build/fuzz

# Ratios against peers that are measured in the same run, and a table of all at the end, which fails where a goal is missed;
# a busy machine makes them vary. About ten minutes: each benchmark has a limit of its own (benchmarks/table.py).
bench: $(READY)
	$(BIN)/python benchmarks/run.py

# What the last four of these have come to: docs/benchmarks.md and the table in README.md.
measured: $(READY)
	$(BIN)/python benchmarks/measured.py
	$(BIN)/python -m hds.cli.documentation --write docs

# Lines and branches of the language and the virtual machine that the tests reach.
coverage: $(READY)
	$(BIN)/python -m coverage run --branch --source=lang,vm -m pytest tests/lang tests/vm tests/hds/fuzzing
	$(BIN)/python -m coverage report --skip-covered

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m walls

# The pages that are derived, and all of them as a site: build/site/index.html. A broken link is an error.
docs: $(READY)
	$(BIN)/python -m hds.cli.documentation --write docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

# The outputs that pages show, anew: make outputs PAGES="README.md docs/tutorial.md"
outputs: $(READY)
	PYTHONPATH=.:tests:tests/hds:tests/hds/report $(BIN)/python tests/executed_pages.py $(PAGES)

# The picture in README.md: a run of a real program, as a browser shows its report.
picture: $(READY)
	mkdir -p build/picture
	$(BIN)/hds run --root / --format json --record triggers docs/site/picture.hds /usr/bin/sort -r /etc/passwd \
		> build/picture/run.jsonl
	$(BIN)/hds report build/picture/run.jsonl -o build/picture/report.html
	chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --window-size=1000,1560 \
		--screenshot=docs/report.png file://$(CURDIR)/build/picture/report.html

# After a change of a grammar; the tables are part of the repository.
tables: $(READY)
	$(BIN)/python -m lang.tables

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $(READY)
