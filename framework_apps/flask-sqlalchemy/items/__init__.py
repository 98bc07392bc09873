"""Items API: Flask with Flask-SQLAlchemy."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, abort, request
from flask.typing import ResponseReturnValue

from . import errors, models, views


def create_app(test_config: Mapping[str, Any] | None = None) -> Flask:
    app = Flask(__name__)
    # Flask-SQLAlchemy takes a relative path as one in the instance folder.
    database = Path(os.environ.get("DATABASE_PATH", "items.db")).absolute()
    app.config.from_mapping(SQLALCHEMY_DATABASE_URI=f"sqlite:///{database}")
    if test_config is not None:
        app.config.from_mapping(test_config)

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
        return body

    return app
