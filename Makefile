# Two commands matter: `make demo` and `make test`. Both set everything up by themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DELETE_ON_ERROR:
.PHONY: demo test crash check recording pictures lock clean

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Surefoot needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	@echo "Setting up $(VENV) (about half a minute, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --require-hashes --requirement requirements/runtime.txt
	@$(BIN)/pip install -qq --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	@echo "Adding the tools for tests ..."
	@$(BIN)/pip install -qq --require-hashes --requirement requirements/dev.txt
	@touch $@

demo: $(VENV)/.runtime  ## three changes, live: verified, restored, fixed
	@$(BIN)/surefoot demo $(ARGS)

# In these real time passes, on real parts: they wait, and nothing that computes disturbs them.
LIVED := tests/e2e tests/crash tests/browser/test_browser_rollouts.py tests/security/test_whole_installation.py

test: check  ## the static checks, then every test
	@$(BIN)/pytest -n 4 --dist worksteal $(LIVED:%=--ignore=%) $(ARGS)
	@$(BIN)/pytest -n 4 --dist loadscope $(LIVED) $(ARGS)

crash: $(VENV)/.dev  ## kill, freeze, fill and lock everything, for half an hour
	@$(BIN)/python tests/crash $(ARGS)

check: $(VENV)/.dev  ## format, lint, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

recording: $(VENV)/.runtime  ## docs/demo.svg, from a real run of the demo
	@$(BIN)/python scripts/record_demo.py

pictures: $(VENV)/.dev  ## docs/pages/, from a real run of the demo in a real browser
	@$(BIN)/python scripts/picture_pages.py

lock:  ## renew the pinned requirements (needs uv)
	@printf 'flit_core>=3.11,<4\n' > requirements/.build.in
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements/runtime.txt pyproject.toml requirements/.build.in
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --extra dev --output-file requirements/dev.txt pyproject.toml requirements/.build.in
	@rm requirements/.build.in

clean:  ## remove the virtual environment
	@rm -rf $(VENV)
