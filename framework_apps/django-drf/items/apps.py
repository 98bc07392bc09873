"""The application's name."""

from django.apps import AppConfig


class ItemsConfig(AppConfig):
    name = "items"
