-- The rows that could not be cast, with the lines that the local reader found them on.
INSERT INTO rejects (filename, line, reason, content, run_id, rejected_at)
SELECT @filename, line, reason, content, @run_id, @finished_at
FROM {rejected};
