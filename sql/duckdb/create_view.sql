-- What people query: the trips of the table in storage, with unique_row_id.
CREATE OR REPLACE VIEW {table} AS
SELECT
    unhex(md5({identity_text})) AS unique_row_id,
    {filename} AS filename,
    {columns}
FROM storage.{table};
