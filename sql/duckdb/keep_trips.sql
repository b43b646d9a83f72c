-- Create the table of a previewed file's accepted rows, which outlives `incoming`.
CREATE OR REPLACE TABLE trips AS
SELECT {columns}, ordinal, rounded
FROM incoming
WHERE reject_reason IS NULL
ORDER BY rowid;
