"""The rules of the house as scripts: run one with `python -m tools.<name>`, all of them with `make check`."""
