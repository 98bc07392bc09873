"""Items API: Flask on the standard library's sqlite3."""

import os
from collections.abc import Mapping
from typing import Any

from flask import Flask, abort, request
from flask.typing import ResponseReturnValue

from . import db, errors, views


def create_app(test_config: Mapping[str, Any] | None = None) -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(DATABASE=os.environ.get("DATABASE_PATH", "items.db"))
    if test_config is not None:
        app.config.from_mapping(test_config)

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
        return body

    return app
