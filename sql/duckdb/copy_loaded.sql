-- Loaded rows of a file, as either warehouse gave them, as if they had just been extracted.
INSERT INTO incoming
SELECT {loaded_columns}, 1
FROM loaded_rows;
