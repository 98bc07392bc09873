from django.db import transaction
from django.http import JsonResponse
from django.utils.decorators import method_decorator
from rest_framework import generics
from rest_framework.decorators import api_view
from rest_framework.exceptions import ParseError
from rest_framework.response import Response

from .models import Item
from .serializers import ItemSerializer


@api_view(["GET"])
def hello(request):
    return Response({"message": "Hello, World!"})


@api_view(["POST"])
def echo(request):
    if not isinstance(request.data, dict):
        raise ParseError("The body must be a JSON object.")
    return Response(request.data)


class ItemList(generics.ListCreateAPIView):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer


# In a transaction: otherwise, an item that is deleted between the read and the write would be created again.
@method_decorator(transaction.atomic, name="update")
@method_decorator(transaction.atomic, name="destroy")
class ItemDetail(generics.RetrieveUpdateDestroyAPIView):
    queryset = Item.objects.all()
    serializer_class = ItemSerializer
    http_method_names = ["get", "put", "delete", "head", "options"]


def not_found(request, exception):
    return JsonResponse({"detail": "Not found."}, status=404)
