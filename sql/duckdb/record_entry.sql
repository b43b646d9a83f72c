-- One load or failure of a file; what is not known of it is NULL.
INSERT INTO load_ledger (
    filename, color, month, state, run_id, source, address, format, bytes, sha256, etag,
    loader_version, rows, inserted, updated, deleted, unchanged, rejected, rounded, total_amount,
    reason, finished_at, seconds
)
VALUES (
    $filename, $color, $month, $state, $run_id, $source, $address, $format, $bytes, $sha256, $etag,
    $loader_version, $rows, $inserted, $updated, $deleted, $unchanged, $rejected, $rounded,
    $total_amount, $reason, $finished_at, $seconds
);
