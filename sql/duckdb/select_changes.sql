-- Select the first rows of each kind of change, with their cells before and after the load.
SELECT changes.change, {before_and_after}
FROM changes
LEFT JOIN loaded
    ON loaded.rowid = changes.loaded_row
QUALIFY row_number() OVER (
        PARTITION BY changes.change
        ORDER BY changes.loaded_row, changes.rowid
    ) <= $limit
ORDER BY
    array_position(['updated', 'inserted', 'deleted'], changes.change),
    changes.loaded_row,
    changes.rowid;
