"""The command line, one module a group of commands. `run`, `rebuild`, `demo` and `dev` need Dagster: `assets/cli.py`
has them, and registers all of them."""
