"""Copies of a commit of the repository, and the relocation of paths that lead into them."""

import functools
import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_webbench.host.leftovers import Claim
from pytest_webbench.model.errors import UsageError
from pytest_webbench.model.stack import CopiedTree, OwnCopy, Stack

__all__ = ["SELF", "Checkout", "Tree", "relocated"]

_ENDS = re.compile(r"[\s:;,'\"&?#]")
"""The end of a path within a longer word, as in ``PYTHONPATH`` or the address of a database."""


class Tree:
    """The files and folders of a copy, by their paths in it."""

    def __init__(self, files: Iterable[str]) -> None:
        self._names = {""}
        for name in files:
            while name and name not in self._names:
                self._names.add(name)
                name = name.rpartition("/")[0]  # noqa: PLW2901 - up to the folder

    def __contains__(self, name: str) -> bool:
        return name.strip("/") in self._names


def relocated(word: str, top: str, copy: str, tree: Tree) -> str:
    """Return ``word`` with each path in ``top`` that the ``tree`` of the ``copy`` has replaced by the copy's.

    Paths that are not in the copy (a virtual environment, a file that will be written) stay as they are.
    """
    done, rest = "", word
    while top in rest:
        before, _, after = rest.partition(top)
        end = _ENDS.search(after)
        inside = after[: end.start()] if end else after
        whole = not before or not (before[-1].isalnum() or before[-1] in "._-")
        if after in tree and after.startswith("/"):  # a path may have blanks in it
            inside = after
        if whole and (not inside or inside.startswith("/")) and inside in tree:
            done += before + copy + inside
        else:
            done += before + top + inside
        rest = after[len(inside) :]
    return done + rest


SELF = "self"
"""Instead of a commit: the stacks as they are now, against themselves."""


BASE, HEAD = "base", "head"


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """Where a stack's folder lies: ``inside`` the repository whose top is ``top``.

    ``spelled`` is that top as the stack spells it, perhaps through symbolic links. ``exists`` says whether
    the commit has that folder.
    """

    top: Path
    spelled: Path
    inside: Path
    commit: str | None
    exists: bool = True


class Checkout:
    """The copies of the stacks below ``folder``, made by :meth:`make`, removed by :meth:`remove`.

    ``heads`` are the stacks with their folders there, ``bases`` those of them that the commit has, too. Paths
    into the repository in a command, an environment or a lock are those of the copy. A stack that is compared
    with itself and is outside any git repository is not copied: both sides are served from its folder. Raises
    :class:`~pytest_webbench.model.errors.UsageError` if a stack is outside any git repository, or that has no
    commit ``ref``.
    """

    def __init__(self, stacks: Mapping[str, Stack], ref: str, folder: Path) -> None:
        self._folder = folder
        self._made = False
        self._claim: Claim | None = None
        self._listings: dict[tuple[Path, str | None], frozenset[str]] = {}
        found = {name: _origin(stack, ref) for name, stack in stacks.items()}
        self._origins = {name: origin for name, origin in found.items() if origin is not None}
        self._tops = {
            top: number
            for number, top in enumerate(dict.fromkeys(each.top for each in self._origins.values()))
        }
        commits = {each.commit for each in self._origins.values() if each.commit}
        self.title = ref + "".join(f" ({commit[:7]})" for commit in sorted(commits) if commit[:7] != ref[:7])
        self.bases = {
            name: self._copy_of(stack, BASE)
            for name, stack in stacks.items()
            if name not in self._origins or self._origins[name].exists
        }
        self.heads = {name: self._copy_of(stack, HEAD) for name, stack in stacks.items()}

    def _copy_of(self, stack: Stack, arm: str) -> Stack:
        origin = self._origins.get(stack.name)
        if origin is None:
            return stack
        own = OwnCopy(
            trees=tuple(
                CopiedTree(original=top, copy=self._place(top, arm), sources=self._files(top, None))
                for top in self._tops
            ),
            copies=self._folder.resolve(),
        )

        def move(word: str) -> str:
            commit = origin.commit if arm == BASE else None
            place = self._place(origin.top, arm)
            for top in {str(origin.top): None, str(origin.spelled): None}:
                if top in word:
                    word = relocated(word, top, str(place), Tree(self._files(origin.top, commit)))
            return word

        return replace(
            stack,
            folder=self._place(origin.top, arm) / origin.inside,
            command=tuple(map(move, stack.command)),
            prepare=tuple(tuple(map(move, command)) for command in stack.prepare),
            env=tuple((name, move(value)) for name, value in stack.env),
            lock=None if stack.lock is None else move(stack.lock),
            own_copy=own,
        )

    def _files(self, top: Path, commit: str | None) -> frozenset[str]:
        """Return the files of ``commit``, or of the working tree, by their paths in the repository."""
        if (top, commit) not in self._listings:
            tree = "ls-tree", "-r", "-z", "--name-only"
            names = _listed(top, ".") if commit is None else _names(top, *tree, commit)
            self._listings[top, commit] = frozenset(names)
        return self._listings[top, commit]

    def _place(self, top: Path, arm: str) -> Path:
        return self._folder.resolve() / arm / str(self._tops[top])

    def make(self) -> None:
        """Copy the base from the commit, the head from the files that git tracks or would track.

        Call it only once.

        Raises :class:`~pytest_webbench.model.errors.UsageError` if that fails.
        """
        if self._made or not self._tops:
            return
        self._made = True
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._claim = Claim(self._folder)
        except OSError as error:
            raise _no_room(self._folder, error) from None
        for top in self._tops:
            (commit,) = {each.commit for each in self._origins.values() if each.top == top}
            for arm, wanted in ((BASE, commit), (HEAD, None)):
                place = self._place(top, arm)
                place.mkdir(parents=True)
                try:
                    if wanted is None:
                        _copy_tree(top, place, but=self._folder.resolve())
                    else:
                        _extract(top, wanted, place)
                    _keep_links_inside(top, place)
                except (OSError, tarfile.TarError) as error:
                    raise _no_room(place, error) from None

    def remove(self) -> None:
        """Remove the copies; safe to call again."""
        if self._claim is not None:
            self._claim.remove()


def _no_room(place: Path, error: Exception) -> UsageError:
    return UsageError(
        f"the stacks cannot be copied to {place}: {error}",
        hint="choose a folder with room by --webbench-output",
    )


def _origin(stack: Stack, ref: str) -> _Origin | None:
    """Return where ``stack`` lies; ``None`` if it need not be copied, because it is compared with itself."""
    try:
        top = Path(_git(stack.folder, "rev-parse", "--show-toplevel").decode().rstrip("\n")).resolve()
    except (OSError, subprocess.CalledProcessError) as error:
        if ref == SELF:
            return None
        raise UsageError(
            f"{stack.name} cannot be compared with another commit: its folder {stack.folder} lies in no git "
            "repository",
            evidence=_words(error),
            hint="use --webbench-against-stack, or run from a checkout (pip install -e)",
        ) from None
    inside = stack.folder.resolve().relative_to(top)
    spelled = _without_end(stack.folder.absolute(), inside)
    if not _listed(top, f"{inside.as_posix()}/"):
        if ref == SELF:
            return None
        raise UsageError(
            f"{stack.name} cannot be compared with another commit: git ignores its folder {stack.folder}",
            hint="use --webbench-against-stack, or run from a checkout (pip install -e)",
        )
    if ref == SELF:
        return _Origin(top=top, spelled=spelled, inside=inside, commit=None)
    try:
        found = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except subprocess.CalledProcessError:
        raise UsageError(
            f"--webbench-against: {top.name} knows no commit, branch or tag {ref!r}",
            hint="fetch it (git fetch origin; in GitHub Actions: fetch-depth: 0), or name another",
        ) from None
    commit = found.decode().strip()
    listed = _git(top, "ls-tree", "--name-only", commit, "--", f"{inside.as_posix()}/")
    return _Origin(top=top, spelled=spelled, inside=inside, commit=commit, exists=bool(listed))


def _without_end(folder: Path, inside: Path) -> Path:
    """Return the top of a repository, from the folder that lies ``inside`` it."""
    for part in reversed(inside.parts):
        if folder.name != part:  # a link on the way has another name
            return folder
        folder = folder.parent
    return folder


def _extract(top: Path, commit: str, place: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(_git(top, "archive", "--format=tar", commit))) as archive:
        archive.extractall(place, filter="tar")  # the filter "data" takes no links to absolute paths


def _copy_tree(top: Path, place: Path, *, but: Path) -> None:
    """Copy the files that git tracks or would track, links as links, except those in the folder ``but``."""
    for name in _listed(top, "."):
        source = top / name
        if source.is_relative_to(but):
            continue
        if source.is_symlink() or source.is_file():  # a deleted file is still listed
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def _keep_links_inside(top: Path, place: Path) -> None:
    """Have links to absolute paths in the repository lead to the copy."""
    for folder, folders, files in os.walk(place):
        for path in (Path(folder, name) for name in (*folders, *files)):
            if not path.is_symlink():
                continue
            target = path.readlink()
            if target.is_absolute() and target.is_relative_to(top):
                path.unlink()
                path.symlink_to(place / target.relative_to(top))


def _listed(top: Path, path: str) -> list[str]:
    """Return the files below ``path`` that git tracks or would track."""
    kinds = "--cached", "--others", "--exclude-standard"
    return _names(top, "ls-files", "-z", *kinds, "--", path)


def _names(top: Path, *arguments: str) -> list[str]:
    return _git(top, *arguments).decode(errors="surrogateescape").split("\0")[:-1]


def _git(folder: Path, *arguments: str) -> bytes:
    """Run git in the repository of ``folder``, whatever variables another git has set (as in a hook)."""
    environment = {name: value for name, value in os.environ.items() if name not in _local_variables()}
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, env=environment).stdout


@functools.cache
def _local_variables() -> frozenset[str]:
    """Return git's variables that select a repository, without settings that were passed on."""
    command = ["git", "rev-parse", "--local-env-vars"]
    done = subprocess.run(command, check=True, capture_output=True)
    return frozenset(done.stdout.decode().split()) - {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}


def _words(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return str(error.stderr.decode(errors="replace")).strip()
    return f"git: {error}"
