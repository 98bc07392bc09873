"""A stack: framework, data layer and server, and how to start it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_webbench.values.exchange import Answer, Exchange, Request

__all__ = ["CopiedTree", "OwnCopy", "Stack"]


GET_ROOT = Exchange(request=Request(path="/"), answer=Answer(status=200))


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedTree:
    """A repository with the top folder ``original``, and the ``copy`` of it from which a side is served.

    ``sources`` are the files that git tracks or would track in the original, by their paths in it.
    """

    original: Path
    copy: Path
    sources: frozenset[str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCopy:
    """Of what a side of a comparison of commits is served: ``trees``, whose copies are below ``copies``.

    Those of the other side are there, too.
    """

    trees: tuple[CopiedTree, ...]
    copies: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What is measured: an application in a folder, its lock, and the command that serves it.

    ``command`` and the values of ``env`` may use the placeholders ``{python}`` (the interpreter of
    the stack's environment), ``{bind}`` (an address as Gunicorn takes it: ``fd://7`` or
    ``127.0.0.1:8000``), ``{fd}``, ``{host}``, ``{port}``, ``{workers}``, ``{threads}`` and
    ``{data_dir}`` (a folder of this launch alone). ``lock`` is a file in ``folder`` with pinned and
    hashed requirements, in whose name ``{versions}`` stands for the set of versions; without one the stack
    runs under the interpreter that runs pytest. ``ready`` is the exchange whose right answer says that the
    stack is up. ``settings`` are printed with the results, as the configuration that cannot be seen from
    the command, and so are the versions of the distributions named in ``packages``. ``parts`` says to which
    part ("framework", "ORM", one of your own) a file belongs, by a pattern such as ``mylib/*``: for
    ``--webbench-explain``, which knows the common libraries by itself. ``own_copy`` is set by
    ``--webbench-against``: such a stack must load nothing of the repository but its own copy.
    """

    name: str
    folder: Path
    command: tuple[str, ...]
    title: str = ""
    suite: str = "items"
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # it may hold passwords
    lock: str | None = None
    ready: Exchange = GET_ROOT
    packages: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    parts: Mapping[str, str] = field(default_factory=dict)
    own_copy: OwnCopy | None = None
