# Every target sets itself up: a virtual environment in .venv from the hash-pinned lock, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 3
STAMP := $(VENV)/.installed

# Python keeps what it has compiled, whatever the machine's habit: a run of the tests starts hundreds of programs.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test simulate tamper check serve bench lock format clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"Points Hub needs Python 3.11 to 3.13, this is {v[0]}.{v[1]}: name another with PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	$(BIN)/points-hub demo

# In three processes, each with a PostgreSQL of its own; on two cores a fourth made tests/schema slower (48 s instead of
# 39 with two). Who is done first takes over from the others. ARGS come last: -n 0 is one process, a path or -k some tests.
test: setup
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# Thousands of courses of events, of the ledger and of exchanges, by seeds that `make test` leaves out: what it does not
# meet is met here. Then every way that an exchange can go, with every fault and a place to be killed at, over partners of
# every kind.
simulate: setup
	$(BIN)/python -m tests.simulation --seeds 2000 $(ARGS)
	$(BIN)/python -m tests.exchange 200 --seeds 2000
	$(BIN)/python -m tests.exchange --matrix ONE_PLACE

# A hundred thousand tampered reports, which both verifiers must catch, and each change of each place told alike by both.
tamper: setup
	$(BIN)/python -m tests.settlement $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry .

serve: setup
	$(BIN)/points-hub serve $(ARGS)

bench: setup
	$(BIN)/python -m bench $(ARGS)

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lock holds versions and hashes only, no address: it installs from whichever registry the machine is set up for.
lock: setup
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url \
		pyproject.toml --extra dev --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
