-- All that was charged in a month (total_amount), in dollars, refunds taken off.
SELECT
    ROUND(SUM(total_amount), 2) AS total_charged_dollars,
    COUNT(*) AS trips
FROM {table}
WHERE filename = @filename;
