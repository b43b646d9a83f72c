-- The rows of one file as they are in the table now, for a comparison with what a load would bring.
SELECT {columns}
FROM {table}
WHERE filename = @filename;
