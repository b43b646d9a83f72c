-- Aggregate trips into a rollup: those of one file during a load, of all files during an upgrade.
INSERT INTO {rollup} (filename, color, {keys}, stray, {sums})
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
