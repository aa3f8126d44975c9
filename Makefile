# The verbs of the house. `./run` and `./test` make the environment; these use it.
PYTHON := .venv/bin/python

.PHONY: check test docs bench lock
check: ## linters, types, own rules
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pyright
	@for rule in tools/check_*.py; do $(PYTHON) -m tools.$$(basename $$rule .py) || exit 1; done

test: ## all tests
	./test

docs: ## the documentation, strictly, into site/
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --site-dir site

bench: ## the benchmarks
	.venv/bin/counterpoise bench

lock: ## requirements/*.txt from what is installed here
	$(PYTHON) -m tools.lock
