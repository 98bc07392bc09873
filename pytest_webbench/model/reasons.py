"""Why a result may not be used, or not compared: codes, and the one sentence of each."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

__all__ = ["Code", "Reason", "code_of"]


class Reason(str):
    """A sentence with its ``code`` and the ``fields`` in it; without a code it is someone else's."""

    code: "Code | None"
    fields: Mapping[str, str | float]

    def __new__(
        cls, sentence: str, code: "Code | None" = None, fields: Mapping[str, str | float] | None = None
    ) -> Self:
        """The text is the sentence, as it is printed and stored."""
        made = super().__new__(cls, sentence)
        made.code = code
        made.fields = dict(fields or {})
        return made


def code_of(sentence: str) -> str:
    """The code of ``sentence``; empty for one that has none, such as one from an older file."""
    return sentence.code or "" if isinstance(sentence, Reason) else ""


class Code(StrEnum):
    """What can speak against a result, a comparison or a run. Each stands in the JSON, and in the docs."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        """``sentence`` has its fields in braces."""
        made = str.__new__(cls, value)
        made._value_ = value
        made.sentence = sentence
        return made

    def reason(self, **fields: str | float) -> Reason:
        """The sentence with its ``fields``."""
        return Reason(self.sentence.format(**fields), self, fields)

    # A result is not valid.
    ROUNDS_MISSING = "rounds-missing", "only {made} of {planned} rounds were made"
    REQUESTS_FAILED = "requests-failed", "{failed} of {sent} requests failed ({classes})"
    DATABASE_WRONG = "database-wrong", "the database is wrong: {fault}"
    OUT_OF_MEMORY = (
        "out-of-memory",
        "a process of the server was killed for want of memory during a round",
    )
    PROCESS_REPLACED = (
        "process-replaced",
        "a process of the server ended or was replaced during a round",
    )
    NOTHING_COMPLETED = "nothing-completed", "no request was completed"
    REQUEST_OVERDUE = (
        "request-overdue",
        "of {in_flight} requests in flight at the end, one had waited for {waited_s:.3g} s, where the "
        "slowest response took {slowest_ms:.3g} ms: the server may never respond to some",
    )
    ACCOUNTS_WRONG = (
        "accounts-wrong",
        "the requests do not add up: {sent} sent, {ok} right, {failed} failed, {in_flight} in flight",
    )
    GENERATOR_LIMIT = (
        "generator-limit",
        "the load generator was the limit: it used more than 90 % of a core",
    )
    GENERATOR_HELD_UP = (
        "generator-held-up",
        "rate x response time gives {under_way:.1f} requests under way, but {users} users were sending "
        "(Little's law): the generator was held up",
    )
    REQUESTS_DROPPED = (
        "requests-dropped",
        "{dropped} of {scheduled} requests could not be sent before the end: the rate is more than the "
        "server, or its number of connections, can take",
    )
    RATE_NOT_HELD = (
        "rate-not-held",
        "{scheduled} requests took {took_s:.2f} s, and were due within {due_s:.2f} s: the rate is more than "
        "the server, or its number of connections, can take",
    )
    GENERATOR_LATE = (
        "generator-late",
        "the generator fell behind the schedule, by {lag_ms:.2f} ms on average, where a response takes "
        "{mean_ms:.2f} ms",
    )
    ROUNDS_DIFFER = "rounds-differ", "the rounds differ by {spread:.0%} (standard deviation)"
    TEST_FAILED = "test-failed", "its test failed"
    INTERRUPTED = "interrupted", "the run was interrupted"

    # A result is valid, but less sure.
    UNSTABLE = "unstable", "unstable: the interval is ±{half_width:.0%} wide"
    DATABASE_UNSEEN = "database-unseen", "the database could not be looked at"
    LAG_NOTED = "lag-noted", "more than a tenth of the response time is the generator's own lag"
    TAIL_LAG_NOTED = (
        "tail-lag-noted",
        "of the slowest responses (p99), much may be the generator's own lag",
    )
    CONNECTIONS_UNEVEN = (
        "connections-uneven",
        "the server's processes did not have as many connections each ({shared})",
    )
    DRAWS_DIFFER = (
        "draws-differ",
        "{count} sets of connections differ by up to {share:.0%} ({low:,.0f} to {high:,.0f} requests/s): "
        "{why}",
    )
    TIMES_COUNTED = (
        "times-counted",
        "percentiles are within {error:.2%}: where a round has more than {most:,} responses, their times are "
        "counted in a histogram",
    )
    CPU_LIMITED = "cpu-limited", "a limit of CPU (--webbench-cpus) held the server back"

    # A metric cannot be compared.
    PAIRS_TOO_FEW = (
        "pairs-too-few",
        "only {pairs} pairs of rounds can be compared, and {fewest} are the least",
    )
    VALUE_ZERO = "value-zero", "a round has the value 0, of which there is no ratio"
    NO_PAIR = "no-pair", "no pair of rounds can be compared"
    SIDE_FAILED = "side-failed", "{side} failed: {error}"
    SIDE_UNSOUND = "side-unsound", "{side} has no round to compare: {cause}"
    BLOCKS_DIFFER = "blocks-differ", "no round of the base has one of the same block beside it"

    # Whether a run can be trusted.
    NOTHING_MEASURED = "nothing-measured", "Nothing was measured."
    STACKS_FAILED = "stacks-failed", "{count} could not be measured to the end: {stacks}."
    CHECKS_FAILED = "checks-failed", "{count} failed the check before timing: {cells}."
    ALL_VALID = "all-valid", "{cells} valid."
    SOME_INVALID = "some-invalid", "{valid} of {total} cells {are} valid; the others have no rank."
    SPREAD_UNKNOWN = (
        "spread-unknown",
        "One round of each cell: nothing is known of how far rounds differ, and nothing is told apart.",
    )
    SPREAD = (
        "spread",
        "Rounds differ by {typical} in the median cell, by {worst} in the worst ({cell}), as standard "
        "deviations.",
    )
    RESPONSES_RIGHT = (
        "responses-right",
        "Every one of {sent:,} answers was checked, and none was wrong.",
    )
    RESPONSES_WRONG = (
        "responses-wrong",
        "{failed:,} of {sent:,} requests failed; the cells concerned are not valid.",
    )
    GENERATOR_FREE = (
        "generator-free",
        "The load generator used at most {share} of a core ({cell}), so it was not the limit.",
    )
    GENERATOR_BUSY = (
        "generator-busy",
        "The load generator used at most {share} of a core ({cell}), close to all of it: there it may have "
        "been the limit.",
    )
    SERVER_SHARE = (
        "server-share",
        "The servers used {median} of the {processors} in the median round, from {least} to {most}.",
    )
    STEAL_UNKNOWN = (
        "steal-unknown",
        "Whether the host took processor time away (steal) is not known.",
    )
    STEAL = "steal", "The host took {share} of the processors' time away (steal)."
    OTHERS_UNKNOWN = "others-unknown", "How much other processes used is not known."
    OTHERS = (
        "others",
        "All else on the machine, the kernel's network included, used {share} of it.",
    )
    BALANCE_UNEVEN = (
        "balance-uneven",
        "In {uneven} of {rounds} rounds the processes of a server had unequal numbers of connections, at "
        "worst {shared} ({cell}).",
    )
    BALANCE_EVEN = (
        "balance-even",
        "The processes of each server had as many connections as each other, or nearly.",
    )
