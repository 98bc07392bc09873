"""The first screen of a report: can the run be trusted?"""

from collections.abc import Iterator, Sequence
from statistics import fmean, median

from pytest_webbench.analysis.statistics import relative_spread
from pytest_webbench.analysis.validity import GENERATOR_LIMIT, SPREAD_LIMIT, STEADY, UNSTABLE_HALF_WIDTH
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.reasons import Code
from pytest_webbench.model.results import CellSummary, Diagnostic, Level
from pytest_webbench.model.run import SavedRun

__all__ = ["judge_trust", "overall"]

STEAL_WORTH_SAYING, STEAL_LIMIT = 0.01, 0.05
"""Shares of the processors' time; above the second, the host affects the results along with the server."""
OTHERS_WORTH_SAYING, OTHERS_LIMIT = 0.1, 0.25
"""The kernel's work for the network is in it, so that it is never nothing."""
GENERATOR_WORTH_SAYING = 0.75
UNEVEN = 0.1


def judge_trust(record: SavedRun) -> tuple[Diagnostic, ...]:
    """Return all diagnostics of ``record``, including the unknowns."""
    summaries, rounds = record.summaries, record.measurements
    if not summaries:
        nothing = Code.NOTHING_MEASURED.reason()
        return (*_failures(record), Diagnostic(subject="results", level=Level.BAD, text=nothing))
    if record.counts:
        return (*_failures(record), _validity(summaries), _repeats(summaries), _errors(summaries))
    cores = record.metadata.machine.cores if record.metadata.machine else None
    return (
        *_failures(record),
        _validity(summaries),
        _spread(summaries),
        _errors(summaries),
        _generator(summaries),
        *_server(rounds, cores),
        *_noise(rounds, cores),
        *_balance(rounds),
    )


def overall(diagnostics: Sequence[Diagnostic]) -> Level:
    """Return the worst of the levels; unknowns do not make a run worse."""
    levels = {each.level for each in diagnostics}
    return next((each for each in (Level.BAD, Level.DOUBTFUL) if each in levels), Level.GOOD)


def _failures(record: SavedRun) -> Iterator[Diagnostic]:
    failed = record.stack_failures
    if failed:
        text = Code.STACKS_FAILED.reason(count=_counted(len(failed), "stack"), stacks=", ".join(failed))
        yield Diagnostic(subject="stacks", level=Level.BAD, text=text)
    wrong = record.check_failures
    if wrong:
        cells = ", ".join(map(str, wrong))
        text = Code.CHECKS_FAILED.reason(count=_counted(len(wrong), "benchmark"), cells=cells)
        yield Diagnostic(subject="check", level=Level.BAD, text=text)


def _validity(summaries: Sequence[CellSummary]) -> Diagnostic:
    valid, total = sum(each.validity.valid for each in summaries), len(summaries)
    if valid == total:
        count = "The only benchmark is" if total == 1 else f"All {total} benchmarks are"
        return Diagnostic(subject="validity", level=Level.GOOD, text=Code.ALL_VALID.reason(cells=count))
    level = Level.DOUBTFUL if 2 * valid > total else Level.BAD
    text = Code.SOME_INVALID.reason(valid=valid, total=total, are="is" if valid == 1 else "are")
    return Diagnostic(subject="validity", level=level, text=text)


def _spread(summaries: Sequence[CellSummary]) -> Diagnostic:
    spreads = {each.cell: relative_spread(each.samples_s) for each in summaries if len(each.samples_s) > 1}
    if not spreads:
        text = Code.SPREAD_UNKNOWN.reason()
        return Diagnostic(subject="spread", level=Level.DOUBTFUL, text=text)
    worst = max(spreads, key=lambda cell: spreads[cell])
    typical = median(spreads.values())
    text = Code.SPREAD.reason(typical=_share(typical), worst=_share(spreads[worst]), cell=str(worst))
    good = typical <= UNSTABLE_HALF_WIDTH / 2 and spreads[worst] <= SPREAD_LIMIT
    level = Level.GOOD if good else Level.DOUBTFUL if typical <= SPREAD_LIMIT else Level.BAD
    return Diagnostic(subject="spread", level=level, text=text)


def _repeats(summaries: Sequence[CellSummary]) -> Diagnostic:
    """Return whether launches give the same counts."""
    spreads = {each.cell: each.spread for each in summaries if each.spread is not None}
    if not spreads:
        text = Code.LAUNCH_ALONE.reason()
        return Diagnostic(subject="repeat", level=Level.DOUBTFUL, text=text)
    worst = max(spreads, key=lambda cell: spreads[cell])
    unsteady = sum(each > STEADY for each in spreads.values())
    shown = f"{spreads[worst]:.2%}"
    if not unsteady:
        text = Code.COUNTS_STEADY.reason(worst=shown, cell=str(worst))
        return Diagnostic(subject="repeat", level=Level.GOOD, text=text)
    total = _counted(len(spreads), "benchmark")
    text = Code.COUNTS_UNSTEADY.reason(unsteady=unsteady, total=total, worst=shown, cell=str(worst))
    return Diagnostic(subject="repeat", level=Level.DOUBTFUL, text=text)


def _errors(summaries: Sequence[CellSummary]) -> Diagnostic:
    sent = sum(each.requests_sent for each in summaries)
    failed = sum(sum(each.errors.values()) for each in summaries)
    if not failed:
        text = Code.RESPONSES_RIGHT.reason(sent=sent)
        return Diagnostic(subject="responses", level=Level.GOOD, text=text)
    text = Code.RESPONSES_WRONG.reason(failed=failed, sent=sent)
    return Diagnostic(
        subject="responses", level=Level.DOUBTFUL if 2 * failed < sent else Level.BAD, text=text
    )


def _generator(summaries: Sequence[CellSummary]) -> Diagnostic:
    busiest = max(summaries, key=lambda each: each.generator_cpu_fraction)
    share = busiest.generator_cpu_fraction
    level = Level.GOOD if share <= GENERATOR_WORTH_SAYING else Level.DOUBTFUL
    level = Level.BAD if share > GENERATOR_LIMIT else level
    code = Code.GENERATOR_FREE if level is Level.GOOD else Code.GENERATOR_BUSY
    text = code.reason(share=_share(share), cell=str(busiest.cell))
    return Diagnostic(subject="generator", level=level, text=text)


def _server(rounds: Sequence[Measurement], cores: int | None) -> Iterator[Diagnostic]:
    """Yield the servers' share of the processors, in rounds where only they held users back."""
    shares = [
        each.server.cpu_s / _window_s(each) / cores
        for each in rounds
        if each.server.cpu_s is not None and cores and _window_s(each) and each.schedule is None
    ]
    if shares:
        text = Code.SERVER_SHARE.reason(
            median=_share(median(shares)),
            processors=_counted(cores or 0, "processor"),
            least=_share(min(shares)),
            most=_share(max(shares)),
        )
        yield Diagnostic(subject="server", level=Level.GOOD, text=text)


def _window_s(measurement: Measurement) -> float:
    """Return how long the server was metered, in seconds: a little longer than the load."""
    return max(_elapsed_s(measurement), measurement.load.elapsed_s)


def _noise(rounds: Sequence[Measurement], cores: int | None) -> Iterator[Diagnostic]:
    """Yield steal time, and the usage of other processes."""
    known = [each for each in rounds if each.machine and each.machine.elapsed_s]
    capacity_s = sum(_elapsed_s(each) for each in known) * (cores or 0)
    steal = [each.machine.steal_s for each in known if each.machine and each.machine.steal_s is not None]
    if not capacity_s or len(steal) < len(known):
        text = Code.STEAL_UNKNOWN.reason()
        yield Diagnostic(subject="steal", level=Level.UNKNOWN, text=text)
    else:
        share = sum(steal) / capacity_s
        text = Code.STEAL.reason(share=_share(share))
        level = _level(share, STEAL_WORTH_SAYING, STEAL_LIMIT)
        yield Diagnostic(subject="steal", level=level, text=text)
    others = [_others_s(each) for each in known]
    left = [each for each in others if each is not None]
    if not capacity_s or len(left) < len(known):
        text = Code.OTHERS_UNKNOWN.reason()
        yield Diagnostic(subject="others", level=Level.UNKNOWN, text=text)
    else:
        share = max(0.0, sum(left)) / capacity_s
        text = Code.OTHERS.reason(share=_share(share))
        level = _level(share, OTHERS_WORTH_SAYING, OTHERS_LIMIT)
        yield Diagnostic(subject="others", level=level, text=text)


def _elapsed_s(measurement: Measurement) -> float:
    usage = measurement.machine
    return (usage.elapsed_s if usage else None) or 0.0


def _others_s(measurement: Measurement) -> float | None:
    """Return processor time beside server, generator and pytest; a single round's may be below 0."""
    usage, server_s = measurement.machine, measurement.server.cpu_s
    if usage is None or usage.busy_s is None or server_s is None:
        return None
    return usage.busy_s - server_s - measurement.load.generator_cpu_s - (usage.own_s or 0.0)


def _balance(rounds: Sequence[Measurement]) -> Iterator[Diagnostic]:
    """Yield whether each process of a server had as many connections as the others; nothing if not known."""
    held = [each for each in rounds if len(each.load.held) > 1]
    uneven = [each for each in held if _unevenness(each) > UNEVEN]
    if uneven:
        worst = max(uneven, key=_unevenness)
        text = Code.BALANCE_UNEVEN.reason(
            uneven=len(uneven),
            rounds=len(held),
            shared=" and ".join(map(str, worst.load.held)),
            cell=str(worst.trial.cell),
        )
        yield Diagnostic(subject="balance", level=Level.DOUBTFUL, text=text)
    elif held:
        text = Code.BALANCE_EVEN.reason()
        yield Diagnostic(subject="balance", level=Level.GOOD, text=text)


def _unevenness(measurement: Measurement) -> float:
    """Return how many more connections the busiest process has than the least busy, as a share of the mean.

    A difference of one cannot be avoided.
    """
    held = measurement.load.held
    return max(0, held[0] - held[-1] - 1) / fmean(held) if sum(held) else 0.0


def _level(share: float, worth_saying: float, limit: float) -> Level:
    if share > limit:
        return Level.BAD
    return Level.DOUBTFUL if share > worth_saying else Level.GOOD


def _share(value: float) -> str:
    return f"{value * 100:.1f} %" if value < 0.0995 else f"{value * 100:.0f} %"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"
