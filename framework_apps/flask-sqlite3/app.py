"""The WSGI application for Gunicorn: `gunicorn app:app`."""

from items import create_app

app = create_app()
