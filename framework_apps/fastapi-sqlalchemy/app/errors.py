"""Answers to requests that are at fault."""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import PydanticSerializationError
from sqlalchemy.orm.exc import StaleDataError


async def invalid_request(_request: Request, error: RequestValidationError) -> JSONResponse:
    # FastAPI's own handler quotes the input, and fails where JSON cannot: NaN, lone surrogates, deep nesting.
    detail = [{key: fault[key] for key in ("type", "loc", "msg")} for fault in error.errors()]
    return JSONResponse({"detail": detail}, status_code=422)


async def unserializable(_request: Request, _error: PydanticSerializationError) -> JSONResponse:
    # Pydantic reads one level of nesting more than it writes.
    return JSONResponse({"detail": "The body is nested too deeply"}, status_code=422)


async def item_gone(_request: Request, _error: StaleDataError) -> JSONResponse:
    # Another client deleted the item after this request had read it.
    return JSONResponse({"detail": "Item not found"}, status_code=404)


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(PydanticSerializationError, unserializable)
    app.add_exception_handler(StaleDataError, item_gone)
