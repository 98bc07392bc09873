"""Send a load, and say what was seen."""
