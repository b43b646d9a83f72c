"""Fareground: every NYC taxi trip of the months you pick lands exactly once in a warehouse."""

__version__ = "0.1.0"
