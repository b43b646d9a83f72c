-- By how many percent the number of trips changed from one month to another.
SELECT
    ROUND(
        100 * (COUNTIF(filename = @filename) - COUNTIF(filename = @earlier))
            / NULLIF(COUNTIF(filename = @earlier), 0),
        2
    ) AS change_percent,
    COUNTIF(filename = @earlier) AS trips_before,
    COUNTIF(filename = @filename) AS trips_after
FROM {table}
WHERE filename IN (@earlier, @filename);
