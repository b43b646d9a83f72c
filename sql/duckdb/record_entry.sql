-- Add an entry to the ledger; unknown values are NULL.
INSERT INTO load_ledger (
    filename, color, month, state, run_id, source, address, format, bytes, sha256, etag,
    loader_version, rows, inserted, updated, deleted, unchanged, rejected, rounded, total_amount,
    reason, finished_at, seconds, unknown_columns, unpacked_bytes
)
VALUES (
    $filename, $color, $month, $state, $run_id, $source, $address, $format, $bytes, $sha256, $etag,
    $loader_version, $rows, $inserted, $updated, $deleted, $unchanged, $rejected, $rounded,
    $total_amount, $reason, $finished_at, $seconds, $unknown_columns, $unpacked_bytes
);
