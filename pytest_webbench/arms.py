"""Which stacks a run compares with which, and where the copies of them lie."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_webbench.checkout import Checkout
from pytest_webbench.errors import UsageError
from pytest_webbench.known import Registry
from pytest_webbench.logic.names import did_you_mean
from pytest_webbench.logic.verdicts import FEWEST_PAIRS
from pytest_webbench.values.settings import Settings

__all__ = ["BASE_SUFFIX", "Arms", "choose_arms"]

BASE_SUFFIX = "@base"
"""Behind the name of a stack: as it is at the commit that it is compared with."""


@dataclass(frozen=True, kw_only=True)
class Arms:
    """``bases`` says for each stack with which it is compared, ``about`` what the bases are.

    A stack that the commit does not have yet is not among them. ``registry`` knows heads and bases. A
    ``checkout`` has to be made before they are launched.
    """

    registry: Registry
    bases: dict[str, str]
    about: str
    checkout: Checkout | None = None


def choose_arms(
    settings: Settings, registry: Registry, folder: Path, *, suites: Sequence[str]
) -> Arms | None:
    """What ``settings`` ask to compare of ``suites``; ``None`` for a run without a comparison.

    Copies are going to lie in ``folder``. Raises :class:`~pytest_webbench.errors.UsageError` for what
    cannot be compared.
    """
    _refuse_what_cannot_be_compared(settings)
    if settings.against is not None:
        return _against_commit(settings.against, registry, folder, suites)
    if settings.against_stack is not None:
        return _against_stack(settings.against_stack, registry)
    return None


def _refuse_what_cannot_be_compared(settings: Settings) -> None:
    if settings.against is None and settings.against_stack is None:
        return
    if settings.against is not None and settings.against_stack is not None:
        raise UsageError(
            "--webbench-against and --webbench-against-stack both name a base", hint="leave one of them out"
        )
    if settings.against is not None and settings.urls:
        raise UsageError(
            "--webbench-url measures servers that run already, of which there is no other commit",
            hint="start the base as well, and use --webbench-against-stack",
        )
    if settings.profile.rounds < FEWEST_PAIRS:
        count = settings.profile.rounds
        raise UsageError(
            f"a comparison needs {FEWEST_PAIRS} rounds at least, to see what varies between launches, "
            f"and --webbench-rounds or the profile says {count}",
            hint=f"say --webbench-rounds={FEWEST_PAIRS} or more, or leave it out",
        )


def _against_commit(ref: str, registry: Registry, folder: Path, suites: Sequence[str]) -> Arms:
    selected = [registry.stacks[name] for name in registry.selected_stacks]
    chosen = {each.name: each for each in selected if each.suite in suites}
    checkout = Checkout(chosen, ref, folder)
    bases = {name: name + BASE_SUFFIX for name in checkout.bases}
    stacks = dict(registry.stacks) | checkout.heads
    stacks |= {bases[name]: replace(base, name=bases[name]) for name, base in checkout.bases.items()}
    return Arms(
        registry=replace(registry, stacks=stacks), bases=bases, about=checkout.about, checkout=checkout
    )


def _against_stack(name: str, registry: Registry) -> Arms:
    if name not in registry.stacks:
        raise UsageError(
            f"--webbench-against-stack: no stack is called {name!r}{did_you_mean(name, registry.stacks)}",
            evidence=f"known: {', '.join(registry.stacks)}",
        )
    suite = registry.stacks[name].suite
    compared = [
        each for each in registry.selected_stacks if each != name and registry.stacks[each].suite == suite
    ]
    if not compared:
        raise UsageError(
            f"there is no stack to compare with {name}", hint="select others with --webbench-stack"
        )
    return Arms(
        registry=replace(registry, selected_stacks=tuple(compared)),
        bases=dict.fromkeys(compared, name),
        about=f"stack {name}",
    )
