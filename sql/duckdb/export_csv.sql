-- Write the exported trips of one file as csv.gz, with unique_row_id as hexadecimal digits.
COPY (
    SELECT lower(hex(unique_row_id)) AS unique_row_id, $filename AS filename,
        * EXCLUDE (unique_row_id)
    FROM read_parquet($parquet)
) TO $path (FORMAT csv, HEADER true, COMPRESSION gzip, TIMESTAMPFORMAT '%Y-%m-%d %H:%M:%S');
