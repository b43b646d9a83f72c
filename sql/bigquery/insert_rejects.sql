-- Insert the rejected rows, with the line numbers that the local reader determined.
INSERT INTO rejects (filename, line, reason, content, run_id, rejected_at)
SELECT @filename, line, reason, content, @run_id, @finished_at
FROM {rejected};
