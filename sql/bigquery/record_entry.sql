-- Add an entry to the ledger. An entry without loaded rows (a failure, an unchanged file) carries
-- the pickup months of the newest load forward.
INSERT INTO load_ledger (
    entry, filename, color, month, state, run_id, source, address, format, bytes, sha256, etag,
    loader_version, `rows`, inserted, updated, deleted, unchanged, rejected, rounded, total_amount,
    reason, finished_at, seconds, unknown_columns, unpacked_bytes,
    pickup_months
)
SELECT
    GREATEST(
        UNIX_MICROS(CURRENT_TIMESTAMP()), COALESCE((SELECT MAX(entry) FROM load_ledger), 0) + 1
    ),
    @filename, @color, @month, @state, @run_id, @source, @address, @format, @bytes, @sha256, @etag,
    @loader_version, @rows, @inserted, @updated, @deleted, @unchanged, @rejected, @rounded,
    @total_amount, @reason, @finished_at, @seconds, @unknown_columns,
    @unpacked_bytes,
    COALESCE(
        @pickup_months,
        (
            SELECT pickup_months
            FROM load_ledger
            WHERE filename = @filename
                AND state = 'loaded'
            ORDER BY entry DESC
            LIMIT 1
        )
    );
