-- The rows live in storage; people query the view of the same name, which adds unique_row_id.
-- A virtual generated column would say the same, but DuckDB 2.0 evaluates it on every insert,
-- which costs a third of a first load (docs/decisions/03-row-id-in-a-view.md). file_month (202004)
-- says all of the filename that the table does not, and lets a statement about one file skip all
-- others. The columns behind ordinal follow from the others; charts ask for them
-- (docs/decisions/08-charts-from-sums.md).
CREATE TABLE storage.{table} (
    file_month INTEGER NOT NULL,
    {column_definitions},
    ordinal INTEGER NOT NULL,
    {derived_definitions}
);

CREATE VIEW {table} AS
SELECT
    unhex(md5({identity_text})) AS unique_row_id,
    {filename} AS filename,
    {columns}
FROM storage.{table};
