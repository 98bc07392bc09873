"""The results of Bednarz and Miłosz (2025), whose scenarios and stacks this suite follows."""

from pytest_webbench.model.suite import Published

__all__ = ["PAPER"]

STACKS = ("fastapi-sqlite3", "fastapi-sqlalchemy", "flask-sqlite3", "flask-sqlalchemy", "django-drf")
TABLE = {
    "hello": (4783.0, 4417.0, 2700.0, 2700.0, 1660.0),
    "echo": (4024.0, 3627.0, 2194.0, 2143.0, 1551.0),
    "list_items": (67.4, 168.8, 28.2, 69.2, 75.0),
    "get_item": (2.5, 7.6, 5.0, 8.5, 13.4),
    "create_item": (78.6, 92.4, 111.3, 116.0, 99.6),
    "update_item": (78.4, 95.3, 109.9, 98.6, 109.9),
    "delete_item": (9.0, 10.2, 9.3, 10.4, 11.2),
}
"""Requests per second of ``hello`` and ``echo``, mean response times in milliseconds of the others."""

PAPER = Published(
    title="the paper",
    citation="Bednarz and Miłosz (2025), Benchmarking the performance of Python web frameworks",
    url="https://ph.pollub.pl/index.php/jcsi/article/view/7738",
    licence="CC BY 4.0",
    figures={scenario: dict(zip(STACKS, values, strict=True)) for scenario, values in TABLE.items()},
    approximate=("hello[flask-sqlite3]", "hello[flask-sqlalchemy]"),
    notes=(
        "Its conclusion says that FastAPI created records twice as fast as Flask and five times faster than "
        "Django; its own results give 1.4 and 1.3 times.",
        "Its conclusion says that FastAPI was not the fastest to read a single record; in its own results "
        "FastAPI with sqlite3 is the fastest there.",
        "Its table gives Django REST framework 0.1.0, which must be a mistake; 3.16.0 was current.",
        "Its load came from k6, on a machine that ran Windows with Docker, hence the slow writes. It gives "
        "no intervals, so results that are close may be ties.",
    ),
)
