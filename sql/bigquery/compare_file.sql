-- Write the rows of a file that a load would insert, update or delete to a table. The months must
-- be constants: BigQuery prunes partitions by constants, never by a join.
CREATE OR REPLACE TABLE {changes}
OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY))
AS
SELECT
    COALESCE(incoming.unique_row_id, loaded.unique_row_id) AS unique_row_id,
    CASE
        WHEN loaded.unique_row_id IS NULL THEN 'inserted'
        WHEN incoming.unique_row_id IS NULL THEN 'deleted'
        ELSE 'updated'
    END AS change,
    {incoming_columns}
FROM (
    SELECT *
    FROM {table} AS loaded
    WHERE loaded.filename = @filename
        AND ({months})
) AS loaded
FULL JOIN (
    SELECT *
    FROM {incoming}
    WHERE bad_column IS NULL
) AS incoming
    ON loaded.unique_row_id = incoming.unique_row_id
WHERE loaded.unique_row_id IS NULL
    OR incoming.unique_row_id IS NULL
    OR {others_differ};
