-- Create a table with one row that every load updates in its transaction. BigQuery aborts one of
-- two transactions that update the same row, so loads commit one at a time.
CREATE TABLE IF NOT EXISTS warehouse_state
OPTIONS (description = 'Version of these tables, and how many loads they have seen')
AS
SELECT
    CAST(@schema_version AS INT64) AS schema_version,
    CAST(0 AS INT64) AS loads,
    CAST(@rollups AS STRING) AS rollups;
