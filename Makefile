# make demo · make test · make check · make bench    (each makes the venv that it needs; [ENGINE=postgres|redis])
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Tests to run: make test T="tests/storage -k fence". All of them run in three processes: one that
# waits leaves its core to another.
T ?= -n 3 --dist worksteal
# The engine that the queues of the tests and of the bench are in: sqlite, postgres or redis.
ENGINE ?= sqlite
# make bench compares with Huey and others, make bench BASE=commit with a commit; [ENGINE=postgres|redis]
# [PAIRS=9] [ONLY=drain-1,enqueue], and without BASE [ROWS=5000000] in the file of the questions, or
# through the table of ONLY=million, [SCALE=0.1].
PAIRS ?= 9
ROWS ?= 1000000
SCALE ?= 1

.PHONY: demo test check bench format generate picture clean

demo: $(VENV)/.dev
	$(BIN)/hueyctl demo

test: $(VENV)/.dev
	HUEY_TEST_ENGINE="$(ENGINE)" $(BIN)/python -m pytest $(T)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.$(if $(filter sqlite,$(ENGINE)),dev,bench)
ifeq ($(BASE),)
	$(BIN)/python -m tests.bench.run --engine "$(ENGINE)" --pairs "$(PAIRS)" --only "$(ONLY)" --rows "$(ROWS)" --scale "$(SCALE)"
else
	$(BIN)/python -m tests.bench.pairs "$(BASE)" --engine "$(ENGINE)" --pairs "$(PAIRS)" --only "$(ONLY)"
endif

# man/ and completions/ from the command tree and man/pages/, tests/README.md from marks; a test compares.
generate: $(VENV)/.dev
	$(BIN)/python tests/tools/generate.py

# The pictures of the README: `hueyctl top` and the dashboard on a queue that a real consumer works on.
picture: $(VENV)/.dev
	$(BIN)/python tests/tools/picture.py

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Some systems ship Python without ensurepip; the pip outside can fill a venv as well.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) 2>/dev/null || $(PYTHON) -m venv --clear --without-pip $(VENV)

# An extra of pyproject.toml; the bench has besides the queues that ours meets on a server.
$(VENV)/.dev $(VENV)/.bench: $(VENV)/bin/python pyproject.toml
	@if $(BIN)/python -m pip --version >/dev/null 2>&1; \
	then $(BIN)/python -m pip install --quiet --editable ".[$(@F:.%=%)]"; \
	else $(PYTHON) -m pip --python $(BIN)/python install --quiet --editable ".[$(@F:.%=%)]"; fi
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
