"""Makes the table. `migrate --fake-initial` takes one that is there as made."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Item",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("description", models.TextField(blank=True, max_length=1000)),
                ("price", models.FloatField(validators=[MinValueValidator(0), MaxValueValidator(1e9)])),
                (
                    "quantity",
                    models.IntegerField(validators=[MinValueValidator(0), MaxValueValidator(2**31 - 1)]),
                ),
            ],
            options={"db_table": "items", "ordering": ("id",)},
        ),
    )
