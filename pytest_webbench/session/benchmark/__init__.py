"""pytest-benchmark: rounds replayed, rows saved, baselines guarded."""
