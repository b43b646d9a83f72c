-- Create a production table in the schema storage, and a view of it that adds unique_row_id. A
-- virtual generated column would do the same, but DuckDB 2.0 evaluates it on every insert, which
-- makes a first load a third slower (docs/decisions/03-row-id-in-a-view.md). file_month (202004)
-- replaces the filename, and its zone maps let a statement about one file skip all others. The
-- columns after ordinal are derived for charts (docs/decisions/08-charts-from-rollups.md).
CREATE TABLE storage.{table} (
    file_month INTEGER NOT NULL,
    {column_definitions},
    ordinal INTEGER NOT NULL,
    {derived_definitions}
);
