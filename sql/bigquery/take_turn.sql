-- Two transactions that write the same row cannot both commit: this lets one load in at a time.
UPDATE warehouse_state
SET loads = loads + 1
WHERE TRUE;
