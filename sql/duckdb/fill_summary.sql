-- Whether a group is a stray's follows from its day or month, so that no single row is asked.
INSERT INTO {summary}
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
