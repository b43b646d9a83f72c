-- First load of a file: nothing to compare with.
INSERT INTO storage.{table} (file_month, filename, {columns}, ordinal)
SELECT $file_month, $filename, {columns}, ordinal
FROM incoming;
