-- Update the one row that all loads update, so that a second transaction cannot commit before this
-- one.
UPDATE warehouse_state
SET loads = loads + 1
WHERE TRUE;
