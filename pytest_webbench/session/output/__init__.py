"""What a run prints, and the reports that it writes."""
