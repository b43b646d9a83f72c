-- Aggregate the trips of a file into a rollup. Whether a group holds strays follows from its day or
-- month, so strays are not determined row by row.
INSERT INTO {rollup} (filename, color, {keys}, stray, {sums})
SELECT
    $filename,
    '{color}',
    {keys},
    coalesce({when} < $first_day OR {when} >= $next_month, true) AS stray,
    {sums}
FROM (
    SELECT
        {key_expressions},
        {sum_expressions}
    FROM {rows}{where}
    GROUP BY {positions}
)
ORDER BY {keys};
