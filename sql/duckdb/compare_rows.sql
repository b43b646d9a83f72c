-- Select the rows that differ between two sides, both Arrow tables of parity/select_rows.
SELECT
    coalesce(ours.id, theirs.id) AS id,
    coalesce(ours.times, 0) AS our_times,
    coalesce(theirs.times, 0) AS their_times
FROM ours
FULL JOIN theirs
    ON ours.id = theirs.id
WHERE ours.times IS DISTINCT FROM theirs.times
    OR ours.content IS DISTINCT FROM theirs.content
ORDER BY id;
