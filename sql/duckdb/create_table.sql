-- The rows live in storage; people query the view of the same name, which adds unique_row_id.
-- A virtual generated column would say the same, but DuckDB 2.0 evaluates it on every insert,
-- which costs a third of a first load (docs/decisions/03-row-id-in-a-view.md). file_month (202004)
-- is what lets a statement about one file skip all others: zone maps keep eight bytes of a text,
-- and every filename begins with the same eight. The columns behind ordinal follow from the others
-- and are what charts ask for (docs/decisions/08-charts-from-sums.md).
CREATE TABLE storage.{table} (
    file_month INTEGER NOT NULL,
    filename VARCHAR NOT NULL,
    {column_definitions},
    ordinal INTEGER NOT NULL,
    {derived_definitions}
);

CREATE VIEW {table} AS
SELECT
    unhex(md5({identity_text})) AS unique_row_id,
    filename,
    {columns}
FROM storage.{table};
