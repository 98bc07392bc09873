"""What Gunicorn imports: `gunicorn app:app`."""

from .main import app

__all__ = ["app"]
