from django.urls import path

from . import views

urlpatterns = [
    path("hello", views.hello),
    path("echo", views.echo),
    path("items/", views.ItemList.as_view()),
    path("items/<int:pk>", views.ItemDetail.as_view()),
]
