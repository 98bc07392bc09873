"""pytest-benchmark: results replayed to it, rows saved, baselines guarded."""
