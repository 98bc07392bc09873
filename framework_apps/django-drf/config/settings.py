"""Settings of the project: an API without users, sessions or templates."""

import os

# Nothing here is signed, so the default betrays nothing.
SECRET_KEY = os.environ.get("SECRET_KEY", "not-a-secret")
DEBUG = False
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")

INSTALLED_APPS = ["rest_framework", "items"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("DATABASE_PATH", "items.db"),
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            # WAL lets readers and a writer work side by side; with it, NORMAL loses at most the last
            # transactions in a power cut, and corrupts nothing; a writer waits up to 5 s for its turn, and a
            # transaction asks for it at its start, since one that has read before cannot wait.
            "init_command": "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
            "transaction_mode": "IMMEDIATE",
        },
    },
}

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "items.errors.exception_handler",
    # Answers in ASCII: JSON can spell a lone surrogate, UTF-8 cannot.
    "UNICODE_JSON": False,
}

USE_I18N = False
USE_TZ = True

# Django's own default mails errors to the admins; here they go where Gunicorn's go.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {"django": {"handlers": ["stderr"], "level": "ERROR", "propagate": False}},
}
