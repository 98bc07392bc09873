"""
URL configuration for the items project.

For more information please see:
https://docs.djangoproject.com/en/5.2/topics/http/urls/
"""

from django.urls import include, path

urlpatterns = [
    path("", include("items.urls")),
]

# JSON for errors outside of the views of REST framework.
handler400 = "rest_framework.exceptions.bad_request"
handler404 = "items.views.not_found"
handler500 = "rest_framework.exceptions.server_error"
