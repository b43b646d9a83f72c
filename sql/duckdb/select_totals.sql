-- Count the rows and sum the dollars of one file, in the table and as read, to reconcile them. A
-- dataset without dollars has a checksum of the columns of the row identity.
WITH in_table AS (
    SELECT
        count(*) AS rows,
        {checksum} AS checksum
    FROM storage.{table}
    WHERE file_month = $file_month
),
as_read AS (
    SELECT
        count(*) AS rows,
        {checksum} AS checksum,
        count(*) FILTER (rounded) AS rounded
    FROM incoming
)
SELECT in_table.rows, in_table.checksum, as_read.rows, as_read.checksum, as_read.rounded
FROM in_table, as_read;
