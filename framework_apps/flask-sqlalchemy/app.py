"""What Gunicorn imports: `gunicorn app:app`."""

from items import create_app

app = create_app()
