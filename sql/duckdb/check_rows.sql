-- Count the rows that were read, those with a cell that does not fit and those with a rounded
-- amount, and find times beyond the years that can be read.
SELECT
    count(*) AS rows,
    count(reject_reason) AS misfits,
    {outside} AS outside,
    count(*) FILTER (rounded) AS rounded
FROM incoming;
