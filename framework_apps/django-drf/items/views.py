"""The items: list, get, create, update, delete; and a greeting and an echo."""

from django.db import transaction
from django.utils.decorators import method_decorator
from rest_framework import generics, serializers
from rest_framework.decorators import api_view
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from items.models import Item
from items.serializers import ItemSerializer


@api_view()
def hello(_request: Request) -> Response:
    return Response({"message": "Hello, World!"})


@api_view(["POST"])
def echo(request: Request) -> Response:
    if request.stream is None:  # which DRF takes for an empty object
        raise ParseError("The request has no body.")
    body = serializers.DictField(child=serializers.JSONField(allow_null=True))
    return Response(body.run_validation(request.data))


class ItemList(generics.ListCreateAPIView):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer


# In one transaction: else an item that another client deletes between the read and the write is saved anew.
@method_decorator(transaction.atomic, name="update")
@method_decorator(transaction.atomic, name="destroy")
class ItemDetail(generics.RetrieveUpdateDestroyAPIView):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer
    http_method_names = ("get", "put", "delete", "head", "options")
