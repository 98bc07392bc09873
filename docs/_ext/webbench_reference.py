"""Directives that generate the reference from the package, so it cannot become outdated.

``webbench-options``, ``webbench-stacks``, ``webbench-versions``, ``webbench-scenarios``,
``webbench-profiles``, ``webbench-metrics``, ``webbench-derived_rows``, ``webbench-stored_metrics`` and
``webbench-reasons`` take no arguments; :func:`numbers` gives the limits and defaults used in
the text. All of them write Markdown, which their page parses.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.logging import getLogger
from sphinx.util.nodes import make_refnode

from pytest_webbench.analysis import validity
from pytest_webbench.analysis.gate import ALPHA, POWER
from pytest_webbench.analysis.metrics import (
    SECONDS,
    Metric,
    Rule,
    Stored,
    derived,
    judged,
    stored,
)
from pytest_webbench.analysis.statistics import CONFIDENCE
from pytest_webbench.load.schedule import COMMON_SHARE
from pytest_webbench.model.plan import PROFILES, Profile
from pytest_webbench.model.reasons import Code
from pytest_webbench.model.stack import VERSION_SETS, Stack, VersionSet
from pytest_webbench.model.suite import Scenario
from pytest_webbench.runs.rows import KEYS
from pytest_webbench.session.definitions.registry import with_versions
from pytest_webbench.session.options.table import OPTIONS, Option
from pytest_webbench.suites.items import SCENARIOS, STACKS, SUITE

__all__ = ["numbers", "setup"]

logger = getLogger(__name__)

GIVEN_BY_FIXTURES = {"pytest_webbench.LiveBench", "pytest_webbench.LiveStack"}
"""Classes that only fixtures create, so their constructors are not documented."""
_FORMAT = re.compile(r"\{[^}]*\}")
PIN = re.compile(r"^(?P<name>[a-z0-9.-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? ?\\?$")


def numbers() -> dict[str, str]:
    """Return the package's bounds and defaults, by the names used in the text."""
    return {
        "confidence": _percent(CONFIDENCE),
        "alpha": _percent(ALPHA),
        "power": _percent(POWER),
        "common_share": _percent(COMMON_SHARE),
        "dropped_limit": _percent(validity.DROPPED_LIMIT),
        "lag_limit": _percent(validity.LAG_LIMIT),
        "lag_kept": f"{validity.LAG_KEPT_S * 1000:g} ms",
        "late_limit": _percent(validity.LATE_LIMIT),
        "overrun_limit": _percent(validity.OVERRUN_LIMIT),
        "lag_note": _percent(validity.LAG_WORTH_SAYING),
        "generator_limit": _percent(validity.GENERATOR_LIMIT),
        "little_tolerance": _percent(validity.LITTLE_TOLERANCE),
        "spread_limit": _percent(validity.SPREAD_LIMIT),
        "unstable": _percent(validity.UNSTABLE_HALF_WIDTH),
        "overdue": f"{validity.OVERDUE}",
        "overdue_wait": f"{validity.OVERDUE_S:g} s",
        "records": f"{SUITE.dataset.default_count:,}",
    }


def _percent(share: float) -> str:
    return f"{share * 100:g} %"


def options() -> str:
    """Return every option: what it does, its ini value and its default."""
    return "\n\n".join(map(_option, OPTIONS))


def _option(option: Option) -> str:
    kind = ", a list" if option.many else "" if option.metavar else ", true or false"
    facts = [f"**Ini value:** `{option.dest}`{kind}." if option.ini else "No ini value."]
    if option.default:
        facts.append(f"**Default:** {option.default}.")
    value = f"={option.metavar}" if option.metavar else ""
    help_text = re.sub(r"--webbench[a-z-]*", r"{option}`\g<0>`", option.help[0].upper() + option.help[1:])
    return f"```{{option}} {option.flag}{value}\n{help_text}.\n\n{' '.join(facts)}\n```"


def stacks() -> str:
    """Return each stack with its server."""
    return _table(("Stack", "Description", "Gunicorn worker class", "Folder"), map(_stack, STACKS))


def _stack(stack: Stack) -> Sequence[str]:
    folder = f"`framework_apps/{stack.folder.name}`"
    return (f"`{stack.name}`", stack.title, f"`{stack.settings['worker_class']}`", folder)


def versions() -> str:
    """Return each set of versions, and what its lock installs for each stack."""
    return "\n\n".join(map(_version_set, VERSION_SETS.values()))


def _version_set(versions: VersionSet) -> str:
    rows = []
    for each in STACKS:
        stack = with_versions(each, versions)
        assert stack.lock is not None
        lock = stack.folder / stack.lock
        wanted = {word.partition("==")[0] for word in lock.with_suffix(".in").read_text().split()}
        pins = _pins(lock)
        direct = [text for name, text in pins if name in wanted]
        indirect = [text for name, text in pins if name not in wanted]
        rows.append((f"`{stack.name}`", ", ".join(direct), ", ".join(indirect)))
    python = f"Python {versions.python}" if versions.python else "the Python that runs pytest"
    about = (
        f"`{versions.name}`: {versions.title}. Processes run under {python}, containers start from "
        f"`{versions.base_image}`."
    )
    return f"{about}\n\n{_table(('Stack', 'Required', 'Their dependencies'), rows)}"


def _pins(lock: Path) -> list[tuple[str, str]]:
    found = [match for line in lock.read_text().splitlines() if (match := PIN.match(line))]
    return [
        (pin["name"], f"{pin['name']} {pin['version']}" + (f" (`{pin['marker']}`)" if pin["marker"] else ""))
        for pin in found
    ]


def scenarios() -> str:
    """Return each scenario with its numbers in the ``paper`` profile."""
    header = ("Scenario", "Description", "Users", "Amount", "Result", "Writes", "Repeats requests")
    return _table(header, map(_scenario, SCENARIOS))


def _scenario(scenario: Scenario) -> Sequence[str]:
    return (
        f"`{scenario.name}`",
        scenario.title,
        str(scenario.users),
        str(scenario.amount),
        scenario.unit,
        "yes" if scenario.writes else "no",
        "yes" if scenario.repeat else "no",
    )


def metrics() -> str:
    """Return each metric with verdicts, with its thresholds."""
    return _table(("Metric", "Description", "Limit", "Default", "Floor"), map(_judged, judged()))


def _judged(metric: Metric) -> Sequence[str]:
    counted = metric.rule is Rule.COUNT
    default = "" if metric.limit is None else f"`{metric.limit:g}`" if counted else f"`{metric.limit:.0%}`"
    limit = f"a number of {metric.quantity.noun} per round" if counted else "a percentage"
    floor = "none" if counted else f"such as `{metric.quantity.example}`"
    return (f"`{metric.key}`", metric.about.rstrip("."), limit, default or "not judged", floor)


def derived_rows() -> str:
    """Return each derived row in pytest-benchmark's JSON."""
    return _table(("Name", "Group", "`metric`", "What one value is, in seconds"), map(_derived, derived()))


def _derived(metric: Metric) -> Sequence[str]:
    key = metric.key
    return (f"`hello:{key}[flask-sqlite3]`", f"`hello: {key}`", f"`{metric.row}`", metric.about)


def stored_metrics() -> str:
    """Return each key of ``extra_info`` that holds the value of a metric."""
    names = {each.stored_name: each for each in (*stored(Stored.CELL), *stored(Stored.ROUNDS))}
    return _table(("Key", "Unit", "Meaning", "Of"), map(_stored, names.values()))


def _stored(metric: Metric) -> Sequence[str]:
    unit = "seconds" if metric.quantity == SECONDS else metric.quantity.noun
    of = {
        Stored.CELL: "all rounds",
        Stored.ROUNDS: "each of the `rounds`",
        Stored.CELL | Stored.ROUNDS: "all rounds, and each",
    }
    return (f"`{metric.stored_name}`", unit, metric.about, of[metric.stored])


def profiles() -> str:
    """Return a row for each number of a profile, with a column for each profile."""
    rows: list[tuple[str, Callable[[Profile], str]]] = [
        ("Rounds per benchmark, each a fresh launch", lambda each: str(each.rounds)),
        ("Order", lambda each: each.order),
        (
            "Scenarios with a duration",
            lambda each: _seconds(each.duration_s) if each.duration_s else "as in the scenario",
        ),
        ("Scenarios with a number of requests", _requests),
        ("Pause after the launch", lambda each: _seconds(each.settle_s)),
        ("Pause after seeding", lambda each: _seconds(each.pause_s)),
        ("Warm-up of the suite after a launch", lambda each: "yes" if each.warm_launch else "no"),
        ("Pause after that", lambda each: _seconds(each.idle_s)),
        (
            "Warm-up of the benchmark before a round",
            lambda each: f"{each.warm_cell:.0%} of its amount" if each.warm_cell else "none",
        ),
        ("Pause between two trials", lambda each: _seconds(each.gap_s)),
    ]
    header = ("", *(f"`{name}`" for name in PROFILES))
    return _table(header, ((title, *map(cell, PROFILES.values())) for title, cell in rows))


def _requests(profile: Profile) -> str:
    if profile.request_share == 1:
        return "as in the scenario"
    return f"{profile.request_share:.0%} of the scenario's number, at least {profile.min_requests}"


def _seconds(value: float | None) -> str:
    return f"{value:g} s" if value else "none"


def reasons() -> str:
    """Return each code with its sentence."""
    rows = ((f"`{each.value}`", _FORMAT.sub("…", each.sentence)) for each in Code)
    return _table(("Code", "Sentence"), rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _directive(write: Callable[[], str]) -> type[SphinxDirective]:
    class Generated(SphinxDirective):
        def run(self) -> list[nodes.Node]:
            self.env.note_reread()  # the package may change without the page
            return self.parse_text_to_nodes(write())

    return Generated


def clear_signature(
    _app: Sphinx, _what: str, name: str, obj: Any, _options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Omit uninformative signatures: those of protocols and enumerations, and reprs of defaults."""
    if isinstance(obj, type) and (getattr(obj, "_is_protocol", False) or issubclass(obj, Enum)):
        return "", returns
    if name in GIVEN_BY_FIXTURES:
        return "", returns
    if signature and is_dataclass(obj):
        signature = re.sub(r"<(factory|function \w+)>", "...", signature).replace("PosixPath(", "Path(")
        for each in fields(obj):
            if is_dataclass(each.default):
                signature = signature.replace(repr(each.default), "...")
    return signature, returns


def find_by_last_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Link a name without a module, as docstrings in the package use it for what they import."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py" or "." in target:
        return None
    domain = env.domains.python_domain
    found = domain.find_obj(env, "", "", target, None, 1)
    if not found:
        return None
    name, entry = found[0]
    return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, content, name)


def check_extra_info(_app: Sphinx, docname: str, source: list[str]) -> None:
    """Warn of a key of ``extra_info`` that the page on the output does not mention."""
    if docname == "reference/output":
        for key in KEYS:
            if f"`{key}`" not in source[0]:
                logger.warning("extra_info has %r, which is not described here", key, location=docname)


def setup(app: Sphinx) -> dict[str, Any]:
    """Declare the directives to Sphinx."""
    for write in (
        options,
        stacks,
        versions,
        scenarios,
        profiles,
        metrics,
        derived_rows,
        stored_metrics,
        reasons,
    ):
        app.add_directive(f"webbench-{write.__name__}", _directive(write))
    app.connect("source-read", check_extra_info)
    app.connect("missing-reference", find_by_last_name)
    app.connect("autodoc-process-signature", clear_signature)
    return {"parallel_read_safe": True}
