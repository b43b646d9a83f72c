-- Of the files that are in the rows: one when a file is loaded, all when the tables are brought forward.
INSERT INTO {summary} (filename, color, {keys}, stray, {sums})
SELECT
    filename,
    '{color}',
    {keys},
    COALESCE(
        DATE_TRUNC({when}, MONTH) <> PARSE_DATE('%Y-%m', SUBSTR(filename, -11, 7)), TRUE
    ) AS stray,
    {sums}
FROM (
    SELECT
        filename,
        {key_expressions},
        {sum_expressions}
    FROM {rows}{where}
    GROUP BY 1, {positions}
);
