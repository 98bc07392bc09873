"""Addresses, paths and bodies as they may be shown: without passwords and tokens."""

import re

__all__ = ["MASK", "mask_body", "mask_credentials", "mask_path", "mask_url"]

MASK = "***"
_LONGEST = 200

_WORDS = "token|secret|passw|pwd|auth(?!or)|signature|session|credential|jwt"
_NAME = rf"(?:[^=&;#\"\s]*(?:{_WORDS})[^=&;#\"\s]*|(?:[^=&;#\"\s]*[_.-])?(?:api|access)?key|sig|code)"
"""A name that speaks of a secret."""
_CREDENTIALS = re.compile(r"://\S*@")
_PARAMETER = re.compile(rf"([?&;#]{_NAME}=)[^&;#\s]+", re.IGNORECASE)
_MEMBER = re.compile(rf'("{_NAME}"\s*:\s*)("(?:[^"\\]|\\.)*("|$)|[^,}}\s]+)', re.IGNORECASE)
_FIELD = re.compile(rf"((?:^|&){_NAME}=)[^&\s]+", re.IGNORECASE)


def mask_credentials(text: str) -> str:
    """``text`` without what stands between ``://`` and the last ``@``, be it a valid address or not."""
    return _CREDENTIALS.sub(f"://{MASK}@", text)


def mask_url(text: str) -> str:
    """The address ``text`` without credentials, query and fragment."""
    head, at, rest = text.rpartition("@")
    scheme, slashes, _ = head.partition("://")
    shown = f"{scheme}{slashes}{MASK}@{rest}" if slashes else f"{MASK}@{rest}" if at else text
    for mark in "#?":
        head, found, rest = shown.partition(mark)
        shown = f"{head}{mark}{MASK}" if rest else head + found
    return shown


def mask_path(path: str) -> str:
    """``path`` without the values of parameters whose names speak of a secret, and cut where it is long."""
    shown = _PARAMETER.sub(rf"\1{MASK}", path)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def mask_body(body: str) -> str:
    """``body``, of JSON or a form, without the values whose names speak of a secret."""
    return _FIELD.sub(rf"\1{MASK}", _MEMBER.sub(rf'\1"{MASK}"', body))
