"""Runs under the application's Python: ``fill NOTES DATABASE`` or ``show DATABASE``."""

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

command, *paths = sys.argv[1:]
with closing(sqlite3.connect(paths[-1], timeout=10)) as database, database:
    if command == "fill":
        database.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        database.execute("DELETE FROM notes")
        database.executemany("INSERT INTO notes VALUES (:id, :text)", json.loads(Path(paths[0]).read_text()))
    else:
        print(json.dumps(database.execute("SELECT id, text FROM notes").fetchall()))
