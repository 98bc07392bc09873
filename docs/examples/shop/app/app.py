"""An API without a database: the prices of a shop."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


async def price(request: Request) -> JSONResponse:
    number = request.path_params["number"]
    return JSONResponse({"article": number, "price": number / 4})


app = Starlette(routes=[Route("/price/{number:int}", price)])
