"""The image of a stack: built from its folder and lock, tagged by a hash of its inputs, and kept."""

import hashlib
import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_webbench.model.errors import EngineError, InstallError
from pytest_webbench.model.stack import Stack
from pytest_webbench.stacks.docker.engine import ENGINE_FAULTS, Engine, said
from pytest_webbench.stacks.docker.labels import LABEL

__all__ = ["Image", "base_image_id", "ensure_image"]

IGNORED = ("__pycache__", ".git", ".venv", ".pytest_cache", ".webbench")
SHOWN_LINES = 12
UNFIT = re.compile(r"[^a-z0-9]+")
"""Characters allowed in the name of a stack, but not of an image."""
NO_APT = "webbench: no apt-get"
"""The Dockerfile's message if packages are wanted and cannot be installed."""
RUNNING_IN = re.compile(r"Running in ([0-9a-f]{12,64})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image that the engine holds."""

    tag: str
    size_bytes: int


def base_image_id(engine: Engine, name: str) -> str:
    """Return the id of the base image ``name``, which is pulled if the engine lacks it.

    Raises :class:`~pytest_webbench.model.errors.EngineError` if it is not available.
    """
    import docker.errors  # noqa: PLC0415

    try:
        try:
            return str(engine.client.images.get(name).id)
        except docker.errors.ImageNotFound:
            return str(engine.client.images.pull(name).id)
    except ENGINE_FAULTS() as error:
        raise EngineError(
            f"the base image {name} is not there and cannot be pulled: {said(error)}",
            hint="name another with --webbench-base-image, or use --webbench-launcher=process",
        ) from None


def ensure_image(
    engine: Engine,
    stack: Stack,
    *,
    dockerfile: Path,
    base_image: str,
    logs: Path,
    packages: Sequence[str] = (),
) -> Image:
    """Return the image of ``stack``, built if there is none with exactly this content.

    ``packages`` are Debian packages to install in addition to those of the base image. The tag is a hash of
    the Dockerfile, the folder, the lock, the base image and the packages. Raises
    :class:`~pytest_webbench.model.errors.InstallError` with the last step and lines of a failed build, whose
    whole log is kept in ``logs``.
    """
    import docker.errors  # noqa: PLC0415

    context = _context(stack, dockerfile)
    base = base_image_id(engine, base_image)
    content = hashlib.sha256(context + " ".join((base_image, base, *packages)).encode()).hexdigest()[:20]
    tag = f"pytest-webbench/{UNFIT.sub('-', stack.name.lower()).strip('-')}:{content}"
    try:
        try:
            image = engine.client.images.get(tag)
        except docker.errors.ImageNotFound:
            arguments = {"BASE_IMAGE": base_image, "PACKAGES": " ".join(packages)}
            _build(engine, stack, context, tag=tag, arguments=arguments, logs=logs)
            image = engine.client.images.get(tag)
    except ENGINE_FAULTS() as error:
        raise InstallError(f"the image of {stack.name} was not built: {said(error)}") from None
    return Image(tag=tag, size_bytes=int(image.attrs["Size"]))


def _build(
    engine: Engine, stack: Stack, context: bytes, *, tag: str, arguments: dict[str, str], logs: Path
) -> None:
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"build-{stack.name}.log"
    seen: list[str] = []
    failure = ""
    try:
        with log.open("w", buffering=1) as file:  # an interrupted build keeps its lines
            for message in engine.client.api.build(
                fileobj=io.BytesIO(context),
                custom_context=True,
                tag=tag,
                rm=True,
                forcerm=True,  # a failed step leaves no container behind
                decode=True,
                labels={LABEL: "1"},
                buildargs=arguments,
            ):
                failure = failure or message.get("error", "")
                text = message.get("stream") or message.get("error") or message.get("status") or ""
                file.write(text if text.endswith("\n") else f"{text}\n")
                seen += [line for line in text.splitlines() if line.strip()]
    finally:
        _remove_steps(engine, seen)
    if failure:
        if any(NO_APT in line for line in seen if not line.startswith("Step ")):
            raise InstallError(
                f"the image of {stack.name} cannot be given {arguments['PACKAGES']}: its base image "
                f"{arguments['BASE_IMAGE']} has no apt-get",
                hint="choose a base image of Debian or Ubuntu with --webbench-base-image, or use "
                "--webbench-launcher=process",
            )
        steps = [line for line in seen if line.startswith("Step ")]
        raise InstallError(
            f"the image of {stack.name} does not build: {failure.strip().splitlines()[0]}",
            evidence="\n".join([*steps[-1:], *seen[-SHOWN_LINES:]]),
            hint=f"the whole log is in {log}",
        )


def _remove_steps(engine: Engine, lines: Iterable[str]) -> None:
    """Remove the containers of a build's steps that an interrupted or busy engine has left.

    They have no label, but the engine names each one as it begins.
    """
    for line in lines:
        match = RUNNING_IN.search(line)
        if match:
            with suppress(*ENGINE_FAULTS()):  # usually it is already gone
                engine.client.api.remove_container(match[1], v=True, force=True)


def _context(stack: Stack, dockerfile: Path) -> bytes:
    """Return the build context as a tar archive: the same bytes for the same content."""
    if stack.lock is None:
        raise InstallError(
            f"{stack.name} has no lock, from which its image could be made",
            hint="give the stack a lock with hashes, or use --webbench-launcher=process",
        )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        try:
            _add(tar, "Dockerfile", dockerfile.read_bytes())
            _add(tar, "requirements.lock", (stack.folder / stack.lock).read_bytes())
            for path in _files(stack.folder):
                _add(tar, f"app/{path.relative_to(stack.folder).as_posix()}", path.read_bytes())
        except OSError as error:
            raise InstallError(
                f"the image of {stack.name} cannot be made: {error.filename}: {error.strerror}"
            ) from None
    return archive.getvalue()


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part in IGNORED for part in path.relative_to(folder).parts):
            yield path


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))
