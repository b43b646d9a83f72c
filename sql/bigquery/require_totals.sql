-- Abort the transaction unless the file's rows and dollars in the table equal those that were read.
-- A dataset without dollars has a checksum of the columns of the row identity.
SELECT
    IF(
        COUNT(*) = @rows AND COALESCE(SUM({checksum}), 0) = COALESCE(@checksum, 0),
        TRUE,
        ERROR(CONCAT('does not reconcile: ', CAST(COUNT(*) AS STRING), ' rows and a sum of ',
            CAST(COALESCE(SUM({checksum}), 0) AS STRING), ' in the table'))
    ) AS reconciled
FROM {table} AS loaded
WHERE loaded.filename = @filename
    AND ({months});
