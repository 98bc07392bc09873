"""The error tree: what happened, the evidence, and the next step.

::

    WebbenchError
    ├── UsageError             a mistake in an option, an ini value or a hook: exit code 4
    │   └── EngineError        no container engine answers, or it lacks what is needed
    ├── StackError             one stack cannot be measured: its items fail, the others go on
    │   ├── InstallError       its environment could not be made from its lock
    │   ├── StartError         it exited, or did not become ready in time
    │   ├── OwnCopyError       it serves code of another side of the comparison than its own
    │   ├── ContractError      a response is not what the contract says; if one scenario alone is
    │   │                      wrong, the other scenarios of the stack are measured
    │   ├── SeedError          its database could not be filled or read
    │   └── StackDiedError     it ended while it was being checked or measured
    ├── ProfilerError          the profiler may not look at a server, or failed: its cells are not explained
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
    """``text`` with everything escaped that would steer a terminal; lines and tabs are kept.

    For what comes from a server: its logs, its answers.
    """
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode("ascii")
        for each in text
    )


class WebbenchError(Exception):
    """A fault that is explained to a person, without a traceback.

    ``message`` is one sentence with the cause, ``evidence`` what was seen (the
    last lines of a log, an expected and an actual body), ``hint`` the next step,
    usually an option. They are safe to print, whatever they hold.
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
    """No container engine answers, or the base image cannot be had."""


class StackError(WebbenchError):
    """One stack cannot be measured; its items fail with this, the others go on."""


class InstallError(StackError):
    """The environment of a stack could not be made from its lock."""


class StartError(StackError):
    """A stack exited, or did not become ready within the time allowed."""


class OwnCopyError(StackError):
    """A side of a comparison has loaded code of the repository that is not of its own copy."""


class ContractError(StackError):
    """A response of a stack is not what the contract says.

    If it did so in the exchanges of one scenario, that scenario fails on this stack, and the others go on.
    """


class SeedError(StackError):
    """The database of a stack could not be filled, or its state could not be read."""


class StackDiedError(StackError):
    """A stack ended while it was being checked or measured."""


class ProfilerError(WebbenchError):
    """The profiler may not look at a server, or failed: what it should explain stays unexplained."""


class LoadError(WebbenchError):
    """The load generator itself failed: no fault of the stack."""
