"""Saved runs as one HTML page that needs nothing but itself."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from importlib.metadata import version

import vl_convert
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pytest_webbench.analysis.diagnostics import judge_trust, overall
from pytest_webbench.model.results import Level
from pytest_webbench.model.saved_run import RunRecord
from pytest_webbench.report.charts import SHAPES
from pytest_webbench.report.content.cards import make_cards
from pytest_webbench.report.content.configuration import describe_machine_briefly
from pytest_webbench.report.content.numbers import counted
from pytest_webbench.report.content.sections import make_sections
from pytest_webbench.report.content.tables import clean
from pytest_webbench.report.content.view import View

__all__ = ["make_view", "render_page"]

VERDICTS = {
    Level.GOOD: "Nothing that was looked at speaks against these figures.",
    Level.DOUBTFUL: "These figures have to be read with what is said below.",
    Level.BAD: "These figures should not be relied on as they are.",
}
FOLDER = resources.files("pytest_webbench.report").joinpath("templates")
COLOURS = 8


def render_page(records: Sequence[RunRecord]) -> str:
    """The page of the last of ``records``, compared with those before it."""
    view = make_view(records)
    style, script = _file("page.css"), _file("page.js")
    bundle = _bundle()
    specs = {
        figure.name: figure.spec
        for section in view.sections
        for part in section.parts
        for figure in part.figures
    }
    policy = {
        "default-src": "'none'",
        "script-src": f"{_hash(bundle)} {_hash(script)}",
        "style-src": _hash(style),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return (
        _environment()
        .get_template("page.html")
        .render(
            view=view,
            policy="; ".join(f"{name} {sources}" for name, sources in policy.items()),
            style=Markup(style),  # noqa: S704 - a file of this package
            bundle=Markup(bundle),  # noqa: S704 - of a library
            script=Markup(script),  # noqa: S704 - a file of this package
            specs=Markup(_json(specs)),  # noqa: S704 - escaped there
        )
    )


def make_view(records: Sequence[RunRecord]) -> View:
    """What the page shows."""
    record = records[-1]
    findings = judge_trust(record)
    level = overall(findings)
    return View(
        title=_title(records),
        subtitle=", ".join(map(clean, record.stacks())),
        facts=tuple(_facts(record)),
        level=level,
        verdict=VERDICTS[level],
        findings=findings,
        cards=make_cards(record),
        sections=make_sections(records),
        version=clean(record.about.version) or version("pytest-webbench"),
        symbols={
            clean(stack): (number % COLOURS + 1, SHAPES[number % len(SHAPES)])
            for number, stack in enumerate(record.stacks())
        },
    )


def _title(records: Sequence[RunRecord]) -> str:
    record = records[-1]
    stacks, scenarios = len(record.stacks()), len(record.scenarios())
    if not stacks:
        return "A benchmark without figures"
    what = f"{counted(stacks, 'Python web stack')} in {counted(scenarios, 'scenario')}"
    return f"{what}, compared with {counted(len(records) - 1, 'other run')}" if len(records) > 1 else what


def _facts(record: RunRecord) -> list[tuple[str, str]]:
    """What was measured, on what, in a few words."""
    settings, first = record.settings, record.summaries[0] if record.summaries else None
    facts = [("on", describe_machine_briefly(record.about.machine))]
    if first is not None:
        launchers = " / ".join(dict.fromkeys(each.launch.launcher for each in record.summaries))
        facts.append(("launcher", clean(launchers)))
    if settings is not None:
        rounds = counted(settings.profile.rounds, "round")
        facts.append(("how", clean(f"profile {settings.profile.name}, {rounds} of each cell")))
    if record.about.started:
        facts.append(("when", clean(record.about.started.replace("T", " "))))
    return facts


@lru_cache(maxsize=1)
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, which takes seconds to put together."""
    made: str = vl_convert.javascript_bundle("window.webbenchEmbed = vegaEmbed;")
    return made.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _file(name: str) -> str:
    return FOLDER.joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(value: Mapping[str, object]) -> str:
    """JSON that no parser of HTML sees anything in."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _finalised(value: object) -> object:
    """What the template shows of ``value``: whoever wrote a text, it has nothing that steers a terminal."""
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
