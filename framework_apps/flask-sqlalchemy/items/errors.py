"""Every error as JSON."""

from flask import Flask, json
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.wrappers import Response


def http_error(error: HTTPException) -> Response:
    response = error.get_response()
    response.data = json.dumps({"detail": error.description})
    response.content_type = "application/json"
    return response


def too_deep(_error: RecursionError) -> Response:
    return http_error(BadRequest("The JSON is nested too deeply"))


def item_gone(_error: StaleDataError) -> Response:
    # Another client deleted the item after this request had read it.
    return http_error(NotFound("Item not found"))


def id_out_of_range(_error: OverflowError) -> Response:
    # SQLite's row ids end at 64 bits.
    return http_error(NotFound("Item not found"))


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(RecursionError, too_deep)
    app.register_error_handler(StaleDataError, item_gone)
    app.register_error_handler(OverflowError, id_out_of_range)
