"""Everything that can be reported about a result, a comparison or a run: codes and their sentences."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Self

__all__ = ["Code", "Reason", "code_of"]


class Reason(str):
    """A sentence with its ``code`` and ``fields``; without a code, it does not come from this package."""

    code: "Code | None"
    fields: Mapping[str, str | float]

    def __new__(
        cls, sentence: str, code: "Code | None" = None, fields: Mapping[str, str | float] | None = None
    ) -> Self:
        """Make the string of the sentence, as it is printed and stored."""
        made = super().__new__(cls, sentence)
        made.code = code
        made.fields = dict(fields or {})
        return made


def code_of(sentence: str) -> str:
    """Return the code of ``sentence``; empty if it has none, such as one read from a file."""
    return sentence.code or "" if isinstance(sentence, Reason) else ""


class Code(StrEnum):
    """The codes of everything that can be reported about a result, a comparison or a run.

    The documentation lists them all.
    """

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        """Make a code with its ``sentence``, which has its fields in braces."""
        made = str.__new__(cls, value)
        made._value_ = value
        made.sentence = sentence
        return made

    def reason(self, **fields: str | float) -> Reason:
        """Return the sentence with its ``fields``."""
        return Reason(self.sentence.format(**fields), self, fields)

    # A result is not valid.
    ROUNDS_MISSING = "rounds-missing", "only {made} of {planned} rounds were made"
    REQUESTS_FAILED = "requests-failed", "{failed} of {sent} requests failed ({classes})"
    DATABASE_WRONG = "database-wrong", "the database is wrong: {fault}"
    OUT_OF_MEMORY = (
        "out-of-memory",
        "a server process was killed during a round because memory ran out",
    )
    PROCESS_REPLACED = (
        "process-replaced",
        "a server process exited or was replaced during a round",
    )
    NOTHING_COMPLETED = "nothing-completed", "no request was completed"
    REQUEST_OVERDUE = (
        "request-overdue",
        "of {in_flight} requests in flight at the end, one had waited for {waited_s:.3g} s, where the "
        "slowest response took {slowest_ms:.3g} ms: the server may never respond to some",
    )
    ACCOUNTS_WRONG = (
        "accounts-wrong",
        "the requests do not add up: {sent} sent, {ok} completed, {failed} failed, {in_flight} in flight",
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

    # A result is valid, but less certain.
    UNSTABLE = "unstable", "unstable: the interval is ±{half_width:.0%} wide"
    UNSTEADY = "unsteady", "unsteady: launches differ by {spread:.2%}"
    DATABASE_UNSEEN = "database-unseen", "the database could not be checked"
    LAG_NOTED = "lag-noted", "more than a tenth of the response time is the generator's own lag"
    TAIL_LAG_NOTED = (
        "tail-lag-noted",
        "much of the slowest response times (p99) may be the generator's own lag",
    )
    CONNECTIONS_UNEVEN = (
        "connections-uneven",
        "connections were not spread evenly across the server's processes ({shared})",
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
    CPU_LIMITED = "cpu-limited", "the CPU limit (--webbench-cpus) held the server back"

    # A metric cannot be compared.
    PAIRS_TOO_FEW = (
        "pairs-too-few",
        "only {pairs} pairs of rounds can be compared; at least {fewest} are needed",
    )
    VALUE_ZERO = "value-zero", "a round has the value 0, so there is no ratio"
    NO_PAIR = "no-pair", "no pair of rounds can be compared"
    SIDE_FAILED = "side-failed", "{side} failed: {error}"
    SIDE_UNSOUND = "side-unsound", "{side} has no round to compare: {cause}"
    BLOCKS_DIFFER = "blocks-differ", "no block has a valid round of both sides"

    RESPONSES_DIFFER = (
        "responses-differ",
        "void: base and head respond differently, so that their counts are of different work: {difference}",
    )
    LAUNCHES_DIFFER = (
        "launches-differ",
        "unsteady: launches differ by {spread:.2%}, and {launches} of each side are too few for an interval; "
        "more can be made with a larger --webbench-budget, or with --webbench-rounds={fewest}",
    )

    # Remarks on a comparison of base and head.
    UNSTEADY_JUDGED = (
        "unsteady-judged",
        "unsteady: launches differ by {spread:.2%}, so that the interval over {launches} launches decided",
    )
    METRICS_UNKNOWN = "metrics-unknown", "no metric is known for both sides"
    ROUNDS_NEEDED = "rounds-needed", "about {needed} rounds would decide it; {made} were made"
    ROUNDS_UNKNOWN = (
        "rounds-unknown",
        "undecided after {made} rounds; the number needed cannot be estimated",
    )
    BUDGET_NEEDED = "budget-needed", "undecided: try --webbench-budget={seconds}s"
    SMALLEST_EFFECT = (
        "smallest-effect",
        "smallest increase this run could detect (80 % power): {effects}",
    )

    # Two saved results were produced differently.
    DIFFERENT = "different", "{what} {base} then, {now} now"
    INCOMPARABLE = "incomparable", "{what} {base} then, {now} now: not comparable, so not ranked"
    RUN_INVALID = "run-invalid", "invalid in {run}"
    CELL_ALONE = "cell-alone", "{cell} was measured in this run only"
    RUNS_APART = (
        "runs-apart",
        "The runs were made one after the other. Drift between runs is not part of any interval, so a small "
        "difference proves nothing; to detect one, measure both sides in one run with --webbench-against.",
    )

    # Notes on a launch or the machine.
    FILES_UNVERIFIED = (
        "files-unverified",
        "the files it serves were not verified: its command does not run a Python that reports them",
    )
    CONTAINERS_REMOVED = (
        "containers-removed",
        "removed {count} containers left behind by a killed run: {names}",
    )
    OTHER_RUN = (
        "other-run",
        "another run is active (process {pid} on {host}) and disturbs this one's results",
    )

    # Whether a run can be trusted.
    NOTHING_MEASURED = "nothing-measured", "Nothing was measured."
    STACKS_FAILED = "stacks-failed", "{count} could not be measured to the end: {stacks}."
    CHECKS_FAILED = "checks-failed", "{count} failed the check before timing: {cells}."
    ALL_VALID = "all-valid", "{cells} valid."
    SOME_INVALID = "some-invalid", "{valid} of {total} benchmarks {are} valid; the others have no rank."
    SPREAD_UNKNOWN = (
        "spread-unknown",
        "One round per benchmark: how much rounds differ is unknown, and no stacks can be distinguished.",
    )
    SPREAD = (
        "spread",
        "Standard deviation between rounds: {typical} in the median benchmark, {worst} in the worst "
        "({cell}).",
    )
    LAUNCH_ALONE = (
        "launch-alone",
        "One launch per benchmark: whether another one counts the same is not known.",
    )
    COUNTS_STEADY = (
        "counts-steady",
        "Launches count the same: they differ by at most {worst} ({cell}).",
    )
    COUNTS_UNSTEADY = (
        "counts-unsteady",
        "{unsteady} of {total} are unsteady: launches differ by up to {worst} ({cell}).",
    )
    RESPONSES_RIGHT = (
        "responses-right",
        "All {sent:,} responses were checked; none was wrong.",
    )
    RESPONSES_WRONG = (
        "responses-wrong",
        "{failed:,} of {sent:,} requests failed; the affected benchmarks are not valid.",
    )
    GENERATOR_FREE = (
        "generator-free",
        "The load generator used at most {share} of a core ({cell}), so it was not the bottleneck.",
    )
    GENERATOR_BUSY = (
        "generator-busy",
        "The load generator used up to {share} of a core ({cell}), close to all of it: it may have been the "
        "bottleneck there.",
    )
    SERVER_SHARE = (
        "server-share",
        "The servers used {median} of the {processors} in the median round ({least} to {most}).",
    )
    STEAL_UNKNOWN = (
        "steal-unknown",
        "Whether the host took CPU time away (steal) is not known.",
    )
    STEAL = "steal", "The host took {share} of the CPU time away (steal)."
    OTHERS_UNKNOWN = "others-unknown", "How much CPU time other processes used is not known."
    OTHERS = (
        "others",
        "Everything else on the machine, including the kernel's network stack, used {share} of the CPU time.",
    )
    BALANCE_UNEVEN = (
        "balance-uneven",
        "In {uneven} of {rounds} rounds connections were spread unevenly across a server's processes, at "
        "worst {shared} ({cell}).",
    )
    BALANCE_EVEN = (
        "balance-even",
        "Connections were spread evenly across the processes of each server.",
    )
