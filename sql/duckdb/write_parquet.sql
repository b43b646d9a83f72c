-- Write the trips of one file to a Parquet file; its folder's name says filename. DuckDB would declare
-- a column without NULLs in this month as required, and readers of several months would believe it of
-- all: no id is empty, but DuckDB cannot know that.
COPY (
    SELECT
        CASE WHEN unique_row_id = '' THEN NULL ELSE COLUMNS(* EXCLUDE (filename)) END AS "\0"
    FROM {table}
    WHERE filename = $filename
) TO $path (FORMAT parquet, COMPRESSION snappy);
