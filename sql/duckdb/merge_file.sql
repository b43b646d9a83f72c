-- Apply the changes of compare_file to the table. `changes` holds the rowid of each loaded row, so
-- the merge touches only these.
MERGE INTO storage.{table} AS loaded
USING (
    SELECT
        *,
        {derived_columns}
    FROM changes
) AS changes
    ON loaded.rowid = changes.loaded_row
WHEN MATCHED AND changes.change = 'deleted' THEN DELETE
WHEN MATCHED THEN UPDATE SET {assignments}
WHEN NOT MATCHED THEN INSERT (file_month, {columns}, ordinal, {derived})
    VALUES ($file_month, {change_columns}, changes.ordinal, {derived_changes})
RETURNING merge_action;
