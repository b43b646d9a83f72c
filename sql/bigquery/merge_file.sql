-- Apply the changes of compare_file to the table. The filename and the months are constants in the
-- join condition, so that BigQuery does not read the blocks and partitions of other files.
MERGE INTO {table} AS loaded
USING {changes} AS changes
    ON loaded.unique_row_id = changes.unique_row_id
    AND loaded.filename = @filename
    AND ({months})
WHEN MATCHED AND changes.change = 'deleted' THEN DELETE
WHEN MATCHED THEN UPDATE SET {assignments}
WHEN NOT MATCHED THEN INSERT (unique_row_id, filename, {columns})
    VALUES (changes.unique_row_id, @filename, {change_columns});
