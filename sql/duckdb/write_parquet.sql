-- Write the trips of one file to a Parquet file; its folder's name says filename.
COPY (
    SELECT * EXCLUDE (filename) FROM {table} WHERE filename = $filename
) TO $path (FORMAT parquet, COMPRESSION snappy);
