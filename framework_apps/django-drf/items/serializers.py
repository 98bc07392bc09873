"""What comes in and what goes out."""

from rest_framework import serializers

from items.models import Item


class ItemSerializer(serializers.ModelSerializer):
    # Declared, as DRF would trim white space.
    name = serializers.CharField(max_length=100, trim_whitespace=False)
    description = serializers.CharField(max_length=1000, allow_blank=True, trim_whitespace=False)

    class Meta:
        model = Item
        fields = ("id", "name", "description", "price", "quantity")
