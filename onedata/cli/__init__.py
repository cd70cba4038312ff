"""The command line, one module per command group. `run`, `rebuild`, `demo` and `dev` need Dagster and are in
`assets/cli.py`, which registers all commands."""
