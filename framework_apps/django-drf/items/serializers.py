from rest_framework import serializers

from .models import Item


class ItemSerializer(serializers.ModelSerializer):
    # Text is stored as sent; by default, surrounding white space would be removed.
    name = serializers.CharField(max_length=100, trim_whitespace=False)
    description = serializers.CharField(max_length=1000, allow_blank=True, trim_whitespace=False)

    class Meta:
        model = Item
        fields = ["id", "name", "description", "price", "quantity"]
