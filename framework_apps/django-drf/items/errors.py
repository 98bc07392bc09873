"""Every error as JSON, what is wrong below `detail`."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from rest_framework.exceptions import ParseError
from rest_framework.response import Response
from rest_framework.views import exception_handler as default_handler


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, RecursionError):
        error = ParseError("The JSON is nested too deeply.")
    response = default_handler(error, context)
    if response is not None and "detail" not in response.data:
        response.data = {"detail": response.data}
    return response


def bad_request(_request: HttpRequest, exception: Exception) -> JsonResponse:
    return JsonResponse({"detail": f"Bad request: {type(exception).__name__}."}, status=400)


def not_found(_request: HttpRequest, exception: Exception) -> JsonResponse:  # noqa: ARG001 - Django names it
    return JsonResponse({"detail": "Not found."}, status=404)


def server_error(_request: HttpRequest) -> JsonResponse:
    return JsonResponse({"detail": "Internal server error."}, status=500)
