"""The error tree: what happened, the evidence, and the next step.

::

    WebbenchError
    ├── UsageError             a mistake in an option, an ini value or a hook: exit code 4
    │   └── EngineError        no container engine is available, or it lacks something
    ├── StackError             one stack cannot be measured: its tests fail, the others continue
    │   ├── InstallError       its environment could not be created from its lock
    │   ├── StartError         it exited, or did not become ready in time
    │   ├── OwnCopyError       it imports code of the wrong side of the comparison
    │   ├── ContractError      a response violates the contract; if only one scenario is
    │   │                      affected, the other scenarios of the stack are measured
    │   ├── SeedError          its database could not be filled or read
    │   └── StackDiedError     it exited while it was being checked or measured
    ├── ProfilerError          the profiler is not allowed to sample a server, or failed: no hot spots
    └── LoadError              the load generator itself failed
"""

__all__ = [
    "ContractError",
    "EngineError",
    "InstallError",
    "LoadError",
    "OwnCopyError",
    "ProfilerError",
    "SeedError",
    "StackDiedError",
    "StackError",
    "StartError",
    "UsageError",
    "WebbenchError",
    "printable",
]


def printable(text: str) -> str:
    """Return ``text`` with control characters escaped, except newlines and tabs.

    Used for text that comes from a server: logs and responses.
    """
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode("ascii")
        for each in text
    )


class WebbenchError(Exception):
    """An error that is shown to the user without a traceback.

    ``message`` is one sentence with the cause, ``evidence`` shows it (the last lines of a log, an expected
    and an actual body), ``hint`` is the next step, usually an option. All three are safe to print.
    """

    def __init__(self, message: str, *, evidence: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = printable(message)
        self.evidence = printable(evidence)
        self.hint = printable(hint)

    def __str__(self) -> str:
        parts = [self.message]
        if self.evidence:
            parts.append("\n".join(f"    {line}" for line in self.evidence.splitlines()))
        if self.hint:
            parts.append(f"Next step: {self.hint}")
        return "\n".join(parts)


class UsageError(WebbenchError):
    """A mistake in an option, an ini value or a hook; pytest ends with exit code 4."""


class EngineError(UsageError):
    """No container engine is available, or the base image cannot be obtained."""


class StackError(WebbenchError):
    """One stack cannot be measured; its tests fail with this error, the others continue."""


class InstallError(StackError):
    """The environment of a stack could not be created from its lock."""


class StartError(StackError):
    """A stack exited, or did not become ready within the time allowed."""


class OwnCopyError(StackError):
    """A side of a comparison imported code of the repository from outside its own copy."""


class ContractError(StackError):
    """A response of a stack violates the contract.

    If that concerns the exchanges of one scenario, the scenario fails on this stack; the others continue.
    """


class SeedError(StackError):
    """The database of a stack could not be filled, or its state could not be read."""


class StackDiedError(StackError):
    """A stack exited while it was being checked or measured."""


class ProfilerError(WebbenchError):
    """The profiler is not allowed to sample a server, or failed; there are no hot spots then."""


class LoadError(WebbenchError):
    """The load generator itself failed; the stack is not at fault."""
