# make app    set up and open the studio on http://127.0.0.1:7860     (ARGS="--port 8000" and so on)
# make test   set up and run all tests                                 (ARGS="-k growth" and so on)
# make quick  the tests that need neither a browser nor a minute
# make lint   linter and type checker
# make gpu    on a borrowed GPU machine: GPU tests, benchmark, and training of a pair at 64x64, MINUTES=8 in all, into
#             OUT=./out; FROM=./out goes on, STORE=path trains on other clips, DRY=1 rehearses on a CPU, ARGS="--help" says
#             the rest. Sets nothing up: it takes the Python that has PyTorch (or PYTHON=...)

PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
RUN := $(VENV)/bin/python
SITE := $(PYTHONPATH)
export PYTHONPATH := $(CURDIR)

.PHONY: app test quick lint gpu clean
app: $(VENV)/app
	$(RUN) app.py $(ARGS)

test: $(VENV)/dev
	$(RUN) -m pytest -n 2 --dist worksteal $(ARGS)

quick: $(VENV)/dev
	$(RUN) -m pytest -m "not slow and not browser" -n 2 --dist worksteal $(ARGS)

lint: $(VENV)/dev
	$(RUN) -m ruff check .
	$(RUN) -m mypy

MINUTES ?= 8
OUT ?= ./out
WITH_TORCH = $(if $(filter command environment,$(origin PYTHON)),$(PYTHON),$(shell \
	for p in $(RUN) python3 python python3.12 python3.11; do \
	$$p -c 'import importlib.util, sys; sys.exit(not importlib.util.find_spec("torch"))' 2>/dev/null && echo $$p && break; done))
gpu: export PYTHONPATH := $(CURDIR)$(if $(SITE),:$(SITE))
gpu:
	@test -n "$(WITH_TORCH)" || { echo "No Python with PyTorch is on the PATH (name one: make gpu PYTHON=...)"; exit 1; }
	$(WITH_TORCH) -m train.gpu --minutes $(MINUTES) --out "$(OUT)" $(if $(FROM),--from "$(FROM)") \
		$(if $(STORE),--store "$(STORE)") $(if $(DRY),--dry) $(ARGS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/made:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed, and none is on the PATH (or name one: make PYTHON=...)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/app: $(VENV)/made requirements.txt
	$(VENV)/bin/pip install --quiet -r requirements.txt
	touch $@

$(VENV)/dev: $(VENV)/app requirements-dev.txt
	$(VENV)/bin/pip install --quiet -r requirements-dev.txt
	touch $@
