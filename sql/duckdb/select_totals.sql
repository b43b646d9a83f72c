-- Count the rows and sum the dollars of one file, in the table and as read, to reconcile them.
WITH in_table AS (
    SELECT
        count(*) AS rows,
        coalesce(sum({amount}), 0) AS amount
    FROM storage.{table}
    WHERE file_month = $file_month
),
as_read AS (
    SELECT
        count(*) AS rows,
        coalesce(sum({amount}), 0) AS amount,
        count(*) FILTER (rounded) AS rounded
    FROM incoming
)
SELECT in_table.rows, in_table.amount, as_read.rows, as_read.amount, as_read.rounded
FROM in_table, as_read;
