# From nothing: `make demo` or `make test`. Everything lives in .venv, results/ and resources/.
SHELL := bash
BIN := .venv/bin
# Some images forbid bytecode, and each of the many short processes would compile torch again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup demo test bench fuzz ui lint lock clean clean-results

help:
	@echo "make demo           set up, run the main job, print the comparison table"
	@echo "make test           set up, run the test suite"
	@echo "make bench          set up, time networks, stages and kernels on this machine (half an hour)"
	@echo "make fuzz           damage files of every kind by the thousand (CASES=2000 SEED=0), count what became of them"
	@echo "make ui             open MLflow on the results"
	@echo "make lint           formatters, linters, type checker, Snakemake's linter"
	@echo "make setup          only make .venv (PYTHON=python3.12 chooses the interpreter)"
	@echo "make lock           pin again after an edit of pyproject.toml"
	@echo "make clean          remove caches; make clean-results removes results/ and resources/ too"

setup:
	@tools/setup.sh

demo: setup
	@$(BIN)/snakemake --cores all
	@if [ ! results/report.html -nt results/comparison.csv ]; then \
	    $(BIN)/snakemake --quiet all --report results/report.html; fi
	@$(BIN)/transpose summary

test: setup
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

PAPER := tp_r_a3 tp_r_a4 tp_h_s tp_h_a4 tp_h_a6
bench: setup
	@$(BIN)/python -m pytest --override-ini addopts=-q benchmarks --benchmark-columns=median,min,max,ops --benchmark-sort=name
	@$(BIN)/transpose cost $(PAPER:%=config/variants/%.yaml) --part inference --baseline --bf16 --compiled \
	    --threads $$(nproc) --output results/benchmark_inference.json
	@$(BIN)/transpose cost config/variants/tp_r_a3.yaml config/variants/tp_h_s.yaml --part training --baseline --bf16 \
	    --batch-size 8 --rounds 3 --threads $$(nproc) --output results/benchmark_training.json
	@$(BIN)/transpose cost --part loader --part decoder --part suppression --part evaluator --part growth --rounds 3 \
	    --output results/benchmark_stages.json

fuzz: setup
	@$(BIN)/python tools/fuzz.py $(or $(CASES),2000) $(or $(SEED),0)

ui:
	@if [ ! -f results/mlflow.db ]; then echo "no results/mlflow.db yet: make demo makes it"; exit 1; fi
	MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
	    $(BIN)/mlflow ui --backend-store-uri sqlite:///results/mlflow.db --host 127.0.0.1 --port 5000 --workers 1

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

lock: setup
	tools/lock.sh

clean:
	rm -rf .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +

clean-results: clean
	rm -rf resources .snakemake
	find results -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +
