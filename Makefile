# make app    set up and open the studio on http://127.0.0.1:7860     (ARGS="--port 8000" and so on)
# make test   set up and run all tests                                 (ARGS="-k growth" and so on)
# make quick  the tests that need neither a browser nor a minute
# make lint   linter and type checker

PYTHON ?= $(shell for p in python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
RUN := $(VENV)/bin/python
export PYTHONPATH := $(CURDIR)

.PHONY: app test quick lint clean
app: $(VENV)/app
	$(RUN) app.py $(ARGS)

test: $(VENV)/dev
	$(RUN) -m pytest $(ARGS)

quick: $(VENV)/dev
	$(RUN) -m pytest -m "not slow and not browser" $(ARGS)

lint: $(VENV)/dev
	$(RUN) -m ruff check .
	$(RUN) -m mypy

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
