-- Turn `cells` into `incoming`: a text that is in `spellings` becomes its value there, any other is
-- cast. The rows keep their order.
CREATE OR REPLACE TEMP TABLE incoming AS
WITH wide AS (
    SELECT
        cells.rowid AS place,
        {wide_columns},
        {reason} AS reject_reason,
        {rounded_spelling} AS rounded_spelling
    FROM cells{joins}
)
SELECT
    {stored_columns},
    1::INTEGER AS ordinal,
    coalesce(reject_reason, CASE WHEN {empty} THEN 'The row has no value.' END) AS reject_reason,
    rounded_spelling OR {rounded} AS rounded
FROM wide
ORDER BY place;
