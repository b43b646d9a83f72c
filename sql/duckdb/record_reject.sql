-- Add one rejected row.
INSERT INTO rejects (filename, line, reason, content, run_id, rejected_at)
VALUES (?, ?, ?, ?, ?, ?);
