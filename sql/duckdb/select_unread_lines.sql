-- One row a line the CSV reader could not take, all its reasons together.
SELECT
    line,
    left(string_agg(DISTINCT error_message, '; ' ORDER BY error_message), 1000) AS reason,
    left(any_value(csv_line), 1000) AS content
FROM reject_errors
GROUP BY line
ORDER BY line
LIMIT $limit;
