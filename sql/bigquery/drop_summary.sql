-- Sums of an earlier version have other columns, and are made anew.
DROP TABLE IF EXISTS {summary};
