-- Select the rows of a file whose ids begin with these bytes: each id, how often it occurs, and a
-- hash of the row's content.
SELECT
    TO_HEX(unique_row_id) AS id,
    COUNT(*) AS times,
    MIN(TO_HEX(MD5({content}))) AS content
FROM {table}
WHERE filename = @filename
    AND SUBSTR(TO_HEX(unique_row_id), 1, 2) IN UNNEST(@buckets)
GROUP BY id;
