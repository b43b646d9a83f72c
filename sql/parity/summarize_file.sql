-- Compute a fingerprint of a file's rows that is the same on both warehouses and for any row order.
-- For each first byte of unique_row_id it has the rows, their dollars, and sums over parts of the
-- ids and of content hashes. Sums detect a duplicated row, which an XOR would cancel out.
SELECT
    SUBSTR(id, 1, 2) AS bucket,
    COUNT(*) AS trips,
    COALESCE(SUM(amount), 0) AS dollars,
    CAST(SUM(CAST(CONCAT('0x', SUBSTR(id, 3, 8)) AS INT64)) AS INT64) AS ids_1,
    CAST(SUM(CAST(CONCAT('0x', SUBSTR(id, 11, 8)) AS INT64)) AS INT64) AS ids_2,
    CAST(SUM(CAST(CONCAT('0x', SUBSTR(id, 19, 8)) AS INT64)) AS INT64) AS ids_3,
    CAST(SUM(CAST(CONCAT('0x', SUBSTR(content, 1, 8)) AS INT64)) AS INT64) AS contents_1,
    CAST(SUM(CAST(CONCAT('0x', SUBSTR(content, 9, 8)) AS INT64)) AS INT64) AS contents_2,
    CAST(SUM(CAST(CONCAT('0x', SUBSTR(content, 17, 8)) AS INT64)) AS INT64) AS contents_3
FROM (
    SELECT
        TO_HEX(unique_row_id) AS id,
        {amount} AS amount,
        TO_HEX(MD5({content})) AS content
    FROM {table}
    WHERE filename = @filename
) AS hashed
GROUP BY bucket
ORDER BY bucket;
