-- Count the rows and sum the dollars that were read, for reconciliation to the cent, and list the
-- months (202004; 0 for none) of their pickups. A dataset without dollars has a checksum of the
-- columns of the row identity.
SELECT
    COUNT(*) AS read_rows,
    COUNTIF(bad_column IS NOT NULL) AS misfits,
    COUNTIF(bad_column IS NULL AND rounded) AS rounded,
    CAST(COALESCE(SUM(IF(bad_column IS NULL, {checksum}, NULL)), 0) AS NUMERIC) AS checksum,
    STRING_AGG(
        DISTINCT IF(
            bad_column IS NULL,
            CAST(COALESCE(EXTRACT(YEAR FROM {pickup}) * 100 + EXTRACT(MONTH FROM {pickup}), 0)
                AS STRING),
            NULL
        )
    ) AS pickup_months
FROM {incoming};
