-- One row. Every load writes it within its transaction, so that BigQuery lets one commit at a time.
CREATE TABLE IF NOT EXISTS warehouse_state
OPTIONS (description = 'Version of these tables, and how many loads they have seen')
AS
SELECT CAST(@schema_version AS INT64) AS schema_version, CAST(0 AS INT64) AS loads;
