-- Some rows of a parquet file, by number from 0, as text that people can read.
SELECT number, left(CAST(to_json(cells) AS VARCHAR), 1000) AS content
FROM (
    SELECT file_row_number AS number, cells
    FROM read_parquet($path, file_row_number = true) AS cells
)
WHERE list_contains($rows, number);
