-- Select the cells of the rows with these ids.
SELECT TO_HEX(unique_row_id) AS id, {columns}
FROM {table}
WHERE filename = @filename
    AND TO_HEX(unique_row_id) IN UNNEST(@ids)
ORDER BY id;
