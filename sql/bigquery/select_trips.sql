-- All trips of one file, without its name.
SELECT * EXCEPT (filename) FROM {table} WHERE filename = @filename
