"""Items API: Flask on the standard library's sqlite3."""

import os

from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue

from . import db, errors, views
from .json import StrictJSONProvider


def create_app() -> Flask:
    app = Flask(__name__)
    app.json = StrictJSONProvider(app)
    app.config["DATABASE"] = os.environ.get("DATABASE_PATH", "items.db")
    db.init_app(app)
    errors.init_app(app)
    app.register_blueprint(views.bp)

    @app.get("/hello")
    def hello() -> ResponseReturnValue:
        return {"message": "Hello, World!"}

    @app.post("/echo")
    def echo() -> ResponseReturnValue:
        body = request.get_json()
        if not isinstance(body, dict):
            abort(422, description="The body must be a JSON object")
        return jsonify(body)

    return app
