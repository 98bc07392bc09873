"""Options of pytest, ini files and the project's own table."""
