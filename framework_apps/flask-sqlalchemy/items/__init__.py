"""Items API: Flask with Flask-SQLAlchemy."""

import os
from pathlib import Path

from flask import Flask, abort, jsonify, request
from flask.typing import ResponseReturnValue

from . import errors, models, views
from .json import StrictJSONProvider


def create_app() -> Flask:
    app = Flask(__name__)
    app.json = StrictJSONProvider(app)
    # Flask-SQLAlchemy would put a relative path below the instance folder.
    database = Path(os.environ.get("DATABASE_PATH", "items.db")).absolute()
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{database}"
    models.init_app(app)
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
