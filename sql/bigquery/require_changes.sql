-- To follow the merge at once: a gap undoes everything.
ASSERT @@row_count = @changed_rows AS 'the merge changed another number of rows than was compared';
