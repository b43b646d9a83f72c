-- Collect the rows of a file that a load would insert, update or delete; other files are not read.
CREATE OR REPLACE TEMP TABLE changes AS
SELECT
    loaded.loaded_row,
    CASE
        WHEN loaded.loaded_row IS NULL THEN 'inserted'
        WHEN incoming.ordinal IS NULL THEN 'deleted'
        ELSE 'updated'
    END AS change,
    {incoming_columns},
    incoming.ordinal
FROM (SELECT rowid AS loaded_row, * FROM {loaded_rows}) AS loaded
FULL JOIN incoming
    ON {same_identity}
    AND loaded.ordinal = incoming.ordinal
WHERE loaded.loaded_row IS NULL
    OR incoming.ordinal IS NULL
    OR {others_differ};
