"""The commands of `python -m pipeline`, one file a group; `console` is how they print."""
