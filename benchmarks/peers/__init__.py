"""Other tools doing the same job, each run by an interpreter that has them installed."""
