-- The share of trips that began on a Saturday or Sunday; 2000-01-01 was a Saturday.
SELECT
    ROUND(100 * COUNTIF(weekend) / NULLIF(COUNT(*), 0), 2) AS weekend_percent,
    COUNTIF(weekend) AS weekend_trips,
    COUNT(*) AS trips
FROM (
    SELECT MOD(ABS(DATE_DIFF(DATE({pickup}), DATE '2000-01-01', DAY)), 7) IN (0, 1) AS weekend
    FROM {table}
    WHERE filename = @filename
) AS days;
