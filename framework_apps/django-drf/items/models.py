from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=100)
    description = models.TextField(max_length=1000, blank=True)
    price = models.FloatField(validators=[MinValueValidator(0), MaxValueValidator(1e9)])
    quantity = models.IntegerField(validators=[MinValueValidator(0), MaxValueValidator(2**31 - 1)])

    class Meta:
        db_table = "items"
        ordering = ["id"]

    def __str__(self):
        return self.name
