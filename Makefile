# Start with `make demo` or `make test`. All files go to .venv, results/ and resources/.
SHELL := bash
BIN := .venv/bin
# Some container images disable bytecode files; each of the many short processes would then compile torch again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test test-quick bench fuzz ui lint lock docs clean clean-results

help:
	@echo "make demo           set up, run the main job, print the comparison table"
	@echo "make test           set up, run the test suite"
	@echo "make test-quick     set up, run the tests that take under a few seconds each (three minutes)"
	@echo "make bench          set up, time networks, stages and kernels on this machine (half an hour)"
	@echo "make fuzz           read thousands of randomly damaged files (CASES=2000 SEED=0) and count the outcomes"
	@echo "make ui             open MLflow on the results (PORT=5000 RESULTS=results)"
	@echo "make lint           formatters, linters, type checker, Snakemake's linter"
	@echo "make docs           build the documentation site into site/ (installs its tools into .venv-docs once)"
	@echo "make setup          only create .venv (PYTHON=python3.12 selects the interpreter)"
	@echo "make lock           update the lock files after a change of pyproject.toml"
	@echo "make figure         redraw the README's figure"
	@echo "make clean          remove caches; make clean-results removes results/ and resources/ too, and asks first"

setup:
	@tools/setup.sh

demo: setup
	@$(BIN)/snakemake --cores all
	@if [ ! results/report.html -nt results/comparison.csv ]; then \
	    $(BIN)/snakemake --quiet all --report results/report.html; fi
	@$(BIN)/transpose summary

test: setup
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

test-quick: setup
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not slow"

PAPER := tp_r_a3 tp_r_a4 tp_h_s tp_h_a4 tp_h_a6
bench: setup
	@$(BIN)/python -m pytest --override-ini addopts=-q benchmarks --benchmark-columns=median,min,max,ops \
	    --benchmark-sort=name --benchmark-json=results/benchmark_stages.json
	@$(BIN)/python -m benchmarks.loader_scale
	@$(BIN)/python -m benchmarks.evaluator_scale
	@$(BIN)/transpose cost $(PAPER:%=config/variants/%.yaml) --part inference --baseline --bf16 --compiled \
	    --threads $$(nproc) --output results/benchmark_inference.json
	@$(BIN)/transpose cost config/variants/tp_r_a3.yaml config/variants/tp_h_s.yaml --part training --baseline --bf16 \
	    --batch-size 8 --rounds 3 --threads $$(nproc) --output results/benchmark_training.json

fuzz: setup
	@$(BIN)/python tools/fuzz.py $(or $(CASES),2000) $(or $(SEED),0)

PORT := 5000
RESULTS := results
ui:
	@if [ ! -f $(RESULTS)/mlflow.db ]; then echo "no $(RESULTS)/mlflow.db yet: make demo writes it"; exit 1; fi
	@echo "MLflow listens on http://127.0.0.1:$(PORT) until Ctrl-C; choose 'Model training' at the top left"
	@MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
	    $(BIN)/mlflow ui --backend-store-uri sqlite:///$(RESULTS)/mlflow.db --host 127.0.0.1 --port $(PORT) --workers 1

figure: setup
	$(BIN)/python tools/readme_figure.py docs/images/pose_and_dependency.png

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

lock: setup
	tools/lock.sh

# A separate environment keeps MkDocs out of .venv. The built site works without network access.
.venv-docs/stamp: requirements/docs.txt
	rm -rf .venv-docs
	$(or $(PYTHON),$(firstword $(wildcard $(BIN)/python) python3)) -m venv .venv-docs
	.venv-docs/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/docs.txt
	touch $@

docs: .venv-docs/stamp
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@echo "site/index.html"

clean:
	rm -rf .pytest_cache .ruff_cache .hypothesis build site *.egg-info
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

clean-results: clean
	@du -sh results resources 2>/dev/null || true
	@read -r -p "Delete results/ and resources/, downloads included? [y/N] " answer; [ "$$answer" = y ]
	rm -rf resources .snakemake
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
