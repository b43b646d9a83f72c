-- The loaded rows of a file, as either warehouse gave them, as if they had just been extracted.
CREATE OR REPLACE TEMP TABLE incoming AS
SELECT {loaded_columns}, 1::INTEGER AS ordinal
FROM loaded_rows;
