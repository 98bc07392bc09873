"""An API with a database: notes."""

import os
import sqlite3
from contextlib import closing

from flask import Flask, request

DATABASE_PATH = os.environ["DATABASE_PATH"]
app = Flask(__name__)


def connect():
    return closing(sqlite3.connect(DATABASE_PATH))


with connect() as database:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")


@app.get("/notes/<int:key>")
def show(key):
    with connect() as database:
        row = database.execute("SELECT text FROM notes WHERE id = ?", (key,)).fetchone()
    return ({"id": key, "text": row[0]}, 200) if row else ({"error": "no such note"}, 404)


@app.post("/notes/")
def add():
    text = request.get_json()["text"]
    with connect() as database, database:
        key = database.execute("INSERT INTO notes (text) VALUES (?)", (text,)).lastrowid
    return {"id": key, "text": text}, 201
