"""Read trip files with DuckDB: the same rows, casts and rejects for a load and for a preview."""
