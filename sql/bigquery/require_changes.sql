-- Abort the transaction when the merge did not change as many rows as compare_file counted.
-- @@row_count holds the rows of the statement before, so this must follow the merge directly.
ASSERT @@row_count = @changed_rows AS 'the merge changed another number of rows than was compared';
