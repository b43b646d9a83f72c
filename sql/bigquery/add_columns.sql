-- Columns that were added to a definition after the table was created. The rows that are there have NULL.
ALTER TABLE {table}
    {additions};
