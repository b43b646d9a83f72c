"""Fareground: every NYC taxi trip of the months you pick, exactly once, in a warehouse of your own."""

__version__ = "0.1.0"
