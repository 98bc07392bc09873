"""Stacks as they are at a git commit, and as they are now, side by side.

Both are copies, in folders whose paths are equally long, so that nothing but the content differs. A
``git archive`` leaves the repository as it was: no worktree has to be cleaned up after a run that was
killed.
"""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_webbench.errors import UsageError
from pytest_webbench.values.stack import Stack

__all__ = ["SELF", "Checkout"]

SELF = "self"
"""In place of a commit: the stacks as they are now, against themselves."""
BASE, HEAD = "base", "head"


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """Where a stack's folder lies: ``inside`` the repository whose top is ``top``.

    ``exists`` says whether the commit has that folder.
    """

    top: Path
    inside: Path
    commit: str | None
    exists: bool = True


class Checkout:
    """The copies of the stacks below ``folder``, made by :meth:`make`, removed by :meth:`remove`.

    ``heads`` are the stacks with their folders there, ``bases`` those of them that the commit has, too.
    Raises :class:`~pytest_webbench.errors.UsageError` if a stack lies in no git repository, or that knows
    no commit ``ref``.
    """

    def __init__(self, stacks: Mapping[str, Stack], ref: str, folder: Path) -> None:
        self._folder = folder
        self._made = False
        self._origins = {name: _origin(stack, ref) for name, stack in stacks.items()}
        self._tops = {
            top: number
            for number, top in enumerate(dict.fromkeys(each.top for each in self._origins.values()))
        }
        commits = {each.commit for each in self._origins.values() if each.commit}
        self.about = ref + "".join(f" ({commit[:7]})" for commit in sorted(commits) if commit[:7] != ref[:7])
        self.bases = {
            name: self._copy_of(stack, BASE) for name, stack in stacks.items() if self._origins[name].exists
        }
        self.heads = {name: self._copy_of(stack, HEAD) for name, stack in stacks.items()}

    def _copy_of(self, stack: Stack, arm: str) -> Stack:
        origin = self._origins[stack.name]
        return replace(stack, folder=self._place(origin.top, arm) / origin.inside)

    def _place(self, top: Path, arm: str) -> Path:
        return self._folder / arm / str(self._tops[top])

    def make(self) -> None:
        """Copy: the base from the commit, the head from the files that git tracks or would track. Once only.

        Raises :class:`~pytest_webbench.errors.UsageError` if that fails.
        """
        if self._made:
            return
        self._made = True
        for top in self._tops:
            (commit,) = {each.commit for each in self._origins.values() if each.top == top}
            for arm, wanted in ((BASE, commit), (HEAD, None)):
                place = self._place(top, arm)
                place.mkdir(parents=True)
                try:
                    _copy_tree(top, place) if wanted is None else _extract(top, wanted, place)
                except (OSError, tarfile.TarError) as error:
                    raise UsageError(
                        f"the stacks cannot be copied to {place}: {error}",
                        hint="choose a folder with room by --webbench-output",
                    ) from None

    def remove(self) -> None:
        """Remove the copies; safe to call again."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _origin(stack: Stack, ref: str) -> _Origin:
    try:
        top = Path(_git(stack.folder, "rev-parse", "--show-toplevel").decode().strip()).resolve()
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(
            f"{stack.name} cannot be compared with another commit: its folder {stack.folder} lies in no git "
            "repository",
            evidence=_words(error),
            hint="use --webbench-against-stack, or run from a checkout (pip install -e)",
        ) from None
    inside = stack.folder.resolve().relative_to(top)
    if not _listed(top, f"{inside.as_posix()}/"):
        raise UsageError(
            f"{stack.name} cannot be compared with another commit: git ignores its folder {stack.folder}",
            hint="use --webbench-against-stack, or run from a checkout (pip install -e)",
        )
    if ref == SELF:
        return _Origin(top=top, inside=inside, commit=None)
    try:
        found = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    except subprocess.CalledProcessError:
        raise UsageError(
            f"--webbench-against: {top.name} knows no commit, branch or tag {ref!r}",
            hint="fetch it (git fetch origin; in GitHub Actions: fetch-depth: 0), or name another",
        ) from None
    commit = found.decode().strip()
    listed = _git(top, "ls-tree", "--name-only", commit, "--", f"{inside.as_posix()}/")
    return _Origin(top=top, inside=inside, commit=commit, exists=bool(listed))


def _extract(top: Path, commit: str, place: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(_git(top, "archive", "--format=tar", commit))) as archive:
        archive.extractall(place, filter="data")


def _copy_tree(top: Path, place: Path) -> None:
    for name in _listed(top, "."):
        source = top / name
        if source.is_file():  # a deleted file is listed still
            target = place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)


def _listed(top: Path, path: str) -> list[str]:
    """The files below ``path`` that git tracks or would track."""
    kinds = "--cached", "--others", "--exclude-standard"
    return _git(top, "ls-files", "-z", *kinds, "--", path).decode().split("\0")[:-1]


def _git(folder: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _words(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return str(error.stderr.decode(errors="replace")).strip()
    return f"git: {error}"
