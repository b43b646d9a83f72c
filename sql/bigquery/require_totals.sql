-- Rows and dollars of the file in the table, against what was read: a gap undoes everything.
SELECT
    IF(
        COUNT(*) = @rows AND COALESCE(SUM(loaded.total_amount), 0) = @total_amount,
        TRUE,
        ERROR(CONCAT('does not reconcile: ', CAST(COUNT(*) AS STRING), ' rows and $',
            CAST(COALESCE(SUM(loaded.total_amount), 0) AS STRING), ' in the table'))
    ) AS reconciled
FROM {table} AS loaded
WHERE loaded.filename = @filename
    AND ({months});
