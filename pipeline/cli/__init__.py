"""The commands of `python -m pipeline`, one module for each group of commands."""
