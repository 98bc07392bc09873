"""A report as one self-contained HTML page."""

import base64
import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from importlib import resources
from importlib.metadata import version

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from platformdirs import user_cache_path

from pytest_webbench.host.files import write_whole
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.charts import COLOURS, SCREEN, SHAPES, Charts, as_spec
from pytest_webbench.report.content.blocks import Room, fitted_parts
from pytest_webbench.report.content.document import make_document
from pytest_webbench.report.content.results import make_cards
from pytest_webbench.report.content.text import clean

__all__ = ["render_page"]

FOLDER = resources.files("pytest_webbench.report").joinpath("templates")


def render_page(records: Sequence[SavedRun]) -> str:
    """Render the page of the last of ``records``, compared with those before it."""
    document = make_document(records)
    shown = [(section, fitted_parts(section, Room.FULL)) for section in document.sections]
    charts = [chart for _, parts in shown for part in parts for chart in part.charts]
    style, script, bundle = _file("page.css"), _file("page.js"), _bundle()
    policy = {
        "default-src": "'none'",
        "script-src": f"{_hash(bundle)} {_hash(script)}",
        "style-src": _hash(style),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    symbols = {
        stack: (number % len(COLOURS) + 1, SHAPES[number % len(SHAPES)])
        for number, stack in enumerate(document.stacks)
    }
    return (
        _environment()
        .get_template("page.html")
        .render(
            document=document,
            shown=shown,
            cards=make_cards(records[-1]),
            symbols=symbols,
            policy="; ".join(f"{name} {sources}" for name, sources in policy.items()),
            style=Markup(style),  # noqa: S704 - a file of this package
            bundle=Markup(bundle),  # noqa: S704 - of a library
            script=Markup(script),  # noqa: S704 - a file of this package
            specs=Markup(_json([as_spec(each.draw(Charts()), SCREEN) for each in charts])),  # noqa: S704 - escaped there
        )
    )


@lru_cache(maxsize=1)
def _bundle() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script.

    Building it takes seconds, half the time of a short run, so it is kept in the
    user's cache folder, if that is writable.
    """
    kept = user_cache_path("pytest-webbench") / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        return kept.read_bytes().decode()
    made: str = vl_convert.javascript_bundle("window.webbenchEmbed = vegaEmbed;")
    bundle = made.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, bundle.encode())
    return bundle


def _file(name: str) -> str:
    return FOLDER.joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: object) -> str:
    """Return JSON in which an HTML parser finds no markup."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _finalised(value: object) -> object:
    """Return ``value`` as the template shows it: texts without control characters, whatever their source."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pytest_webbench.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalised,
        trim_blocks=True,
        lstrip_blocks=True,
    )
