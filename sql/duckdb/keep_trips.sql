-- The extracted rows of a previewed file, in a database of their own that outlives the extraction.
CREATE OR REPLACE TABLE trips AS
SELECT {columns}, ordinal, rounded
FROM incoming
WHERE bad_column IS NULL
ORDER BY rowid;
