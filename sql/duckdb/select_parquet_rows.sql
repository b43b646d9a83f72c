-- Select rows of a parquet file by number, from 0, as JSON text of at most 1000 characters.
SELECT number, left(CAST(to_json(cells) AS VARCHAR), 1000) AS content
FROM (
    SELECT file_row_number AS number, cells
    FROM read_parquet($path, file_row_number = true) AS cells
)
WHERE list_contains($rows, number);
