"""URLs of the project, and JSON for the errors that arise outside of its views."""

from django.urls import include, path

urlpatterns = [path("", include("items.urls"))]

handler400 = "items.errors.bad_request"
handler404 = "items.errors.not_found"
handler500 = "items.errors.server_error"
