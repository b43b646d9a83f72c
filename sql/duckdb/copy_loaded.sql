-- Copy a file's rows from either warehouse into `incoming`, as if they had been extracted from a
-- file.
INSERT INTO incoming
SELECT {loaded_columns}, 1
FROM loaded_rows;
