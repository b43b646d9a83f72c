-- Write the rows of `incoming` to a csv.gz in which every cell is plain, in the order of the file.
COPY (
    SELECT {columns}
    FROM incoming
    ORDER BY rowid
) TO $path (FORMAT csv, HEADER true, COMPRESSION gzip);
