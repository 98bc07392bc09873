"""What comes in and what goes out."""

from rest_framework import serializers

from items.models import Item


class ItemSerializer(serializers.ModelSerializer):
    class Meta:
        model = Item
        fields = ("id", "name", "description", "price", "quantity")
        extra_kwargs = {
            "name": {"trim_whitespace": False},
            "description": {"trim_whitespace": False, "required": True},
        }
