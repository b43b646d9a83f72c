-- The highest amounts charged for one trip (total_amount), in dollars.
SELECT total_amount AS dollars
FROM {table}
WHERE filename = @filename AND total_amount IS NOT NULL
ORDER BY dollars DESC
LIMIT 5;
