-- Abort the transaction unless the file's rows and dollars in the table equal those that were read.
-- A dataset without amounts has NULL for its dollars.
SELECT
    IF(
        COUNT(*) = @rows AND COALESCE(SUM({amount}), 0) = COALESCE(@total_amount, 0),
        TRUE,
        ERROR(CONCAT('does not reconcile: ', CAST(COUNT(*) AS STRING), ' rows and $',
            CAST(COALESCE(SUM({amount}), 0) AS STRING), ' in the table'))
    ) AS reconciled
FROM {table} AS loaded
WHERE loaded.filename = @filename
    AND ({months});
