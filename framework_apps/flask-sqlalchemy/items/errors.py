"""Errors as JSON."""

from flask import Flask, json
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException


def http_error(error: HTTPException) -> ResponseReturnValue:
    response = error.get_response()
    response.data = json.dumps({"code": error.code, "name": error.name, "description": error.description})
    response.content_type = "application/json"
    return response


def validation_error(error: ValidationError) -> ResponseReturnValue:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return {"code": 422, "name": "Unprocessable Entity", "description": errors}, 422


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(ValidationError, validation_error)
