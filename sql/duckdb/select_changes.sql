-- The first rows of each kind that a load would change, before and after.
SELECT changes.change, {before_and_after}
FROM changes
LEFT JOIN storage.{table} AS loaded
    ON loaded.rowid = changes.loaded_row
QUALIFY row_number() OVER (
        PARTITION BY changes.change
        ORDER BY changes.loaded_row, changes.rowid
    ) <= $limit
ORDER BY
    array_position(['updated', 'inserted', 'deleted'], changes.change),
    changes.loaded_row,
    changes.rowid;
