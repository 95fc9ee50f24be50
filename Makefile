PYTHON ?= python3
REPORT ?= demo-report

VENV := .venv
BIN := $(VENV)/bin
TEST_EXTRAS := bench,cluster,dev,docx,embeddings,server
comma := ,

# A file stays in one process: its server, browser and records are set up once, and its tests run in their order.
# `logical`, because `auto` leaves half of the cores idle where two share one processor.
ON_ALL_CORES := --numprocesses=logical --dist=loadfile

# uv installs in seconds what pip installs in minutes, but does not read pip's settings (mirrors, wheel
# folders): where it fails, pip has the last word.
define install
@if $(BIN)/uv --version >/dev/null 2>&1 && $(BIN)/uv pip install --python $(BIN)/python -c constraints.txt $(1); \
then :; else $(BIN)/python -m pip install -c constraints.txt $(1); fi
@touch $@
endef

# The extra `embeddings` needs PyTorch. pip takes its small CPU build where the settings of this machine name one,
# uv would fetch the CUDA build of several GB all the same; once it is there, uv leaves it alone.
define install_torch
$(if $(filter all embeddings,$(subst $(comma), ,$*)),$(BIN)/python -m pip install -c constraints.txt \
  $$(grep -o 'torch==[0-9.]*' pyproject.toml))
endef

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test constraints clean

help:
	@echo "make demo         set up $(VENV) and predict the next diagnoses of a made-up patient into $(REPORT)/"
	@echo "make test         set up $(VENV) for development and run the linter, the type checker and the tests"
	@echo "make constraints  resolve the dependencies anew and write constraints.txt"
	@echo "make clean        remove $(VENV), caches and $(REPORT)/"
	@echo "Another interpreter: make demo PYTHON=/path/to/python3.12"

demo: $(VENV)/installed-base
	$(BIN)/iikea demo --out $(REPORT)

test: $(VENV)/installed-$(TEST_EXTRAS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest $(ON_ALL_CORES)

constraints: $(VENV)/created
	$(BIN)/uv --version >/dev/null 2>&1 || $(BIN)/python -m pip install uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras pyproject.toml -o constraints.txt

clean:
	rm -rf $(VENV) $(REPORT) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .langgraph_api
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/created:
	@command -v "$(PYTHON)" >/dev/null 2>&1 || { \
	  echo "$(PYTHON) not found: install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than 3.11: name a newer one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian, Ubuntu: python3-venv)" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt uv || echo "uv is not to be had here; going on with pip"
	@touch $@

$(VENV)/installed-base: pyproject.toml constraints.txt $(VENV)/created
	$(call install,-e .)

$(VENV)/installed-%: pyproject.toml constraints.txt $(VENV)/created
	$(install_torch)
	$(call install,-e ".[$*]")
