-- One row that could not be cast.
INSERT INTO rejects (filename, line, reason, content, run_id, rejected_at)
VALUES (?, ?, ?, ?, ?, ?);
