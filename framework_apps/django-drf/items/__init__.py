"""Items: model, serializer, views."""
