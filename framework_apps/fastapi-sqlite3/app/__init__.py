"""Items API: FastAPI on the standard library's sqlite3."""
