"""The output of a run, and the reports that it writes."""
