"""What the first screen of a report says of whether a run can be trusted."""

from collections.abc import Iterator, Sequence
from statistics import fmean, median

from pytest_webbench.analysis.statistics import relative_spread
from pytest_webbench.analysis.validity import GENERATOR_LIMIT, SPREAD_LIMIT, UNSTABLE_HALF_WIDTH
from pytest_webbench.model.measurement import Measurement
from pytest_webbench.model.results import CellSummary, Finding, Level
from pytest_webbench.model.saved_run import RunRecord

__all__ = ["judge_trust", "overall"]

STEAL_WORTH_SAYING, STEAL_LIMIT = 0.01, 0.05
"""Shares of the processors' time; above the second, the host decides the figures with the server."""
OTHERS_WORTH_SAYING, OTHERS_LIMIT = 0.1, 0.25
"""The kernel's work for the network is in it, so that it is never nothing."""
GENERATOR_WORTH_SAYING = 0.75
UNEVEN = 0.1


def judge_trust(record: RunRecord) -> tuple[Finding, ...]:
    """Everything that can be said of ``record``, and what cannot."""
    summaries, rounds = record.summaries, record.measurements
    if not summaries:
        return (*_failures(record), Finding(subject="figures", level=Level.BAD, text="Nothing was measured."))
    cores = record.about.machine.cores if record.about.machine else None
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


def overall(findings: Sequence[Finding]) -> Level:
    """The worst of the levels; what is not known makes a run no worse."""
    levels = {each.level for each in findings}
    return next((each for each in (Level.BAD, Level.DOUBTFUL) if each in levels), Level.GOOD)


def _failures(record: RunRecord) -> Iterator[Finding]:
    failed = record.stack_failures
    if failed:
        text = f"{_counted(len(failed), 'stack')} could not be measured to the end: {', '.join(failed)}."
        yield Finding(subject="stacks", level=Level.BAD, text=text)
    wrong = record.check_failures
    if wrong:
        text = f"{_counted(len(wrong), 'cell')} failed the check before timing: {', '.join(map(str, wrong))}."
        yield Finding(subject="check", level=Level.BAD, text=text)


def _validity(summaries: Sequence[CellSummary]) -> Finding:
    valid, total = sum(each.validity.valid for each in summaries), len(summaries)
    if valid == total:
        count = "The only cell is" if total == 1 else f"All {total} cells are"
        return Finding(subject="validity", level=Level.GOOD, text=f"{count} valid.")
    level = Level.DOUBTFUL if 2 * valid > total else Level.BAD
    text = f"{valid} of {total} cells {'is' if valid == 1 else 'are'} valid; the others have no rank."
    return Finding(subject="validity", level=level, text=text)


def _spread(summaries: Sequence[CellSummary]) -> Finding:
    spreads = {each.cell: relative_spread(each.samples_s) for each in summaries if len(each.samples_s) > 1}
    if not spreads:
        text = "One round of each cell: nothing is known of how far rounds differ, and nothing is told apart."
        return Finding(subject="spread", level=Level.DOUBTFUL, text=text)
    worst = max(spreads, key=lambda cell: spreads[cell])
    typical = median(spreads.values())
    text = (
        f"Rounds differ by {_share(typical)} in the median cell, by {_share(spreads[worst])} in the worst "
        f"({worst}), as standard deviations."
    )
    good = typical <= UNSTABLE_HALF_WIDTH / 2 and spreads[worst] <= SPREAD_LIMIT
    level = Level.GOOD if good else Level.DOUBTFUL if typical <= SPREAD_LIMIT else Level.BAD
    return Finding(subject="spread", level=level, text=text)


def _errors(summaries: Sequence[CellSummary]) -> Finding:
    sent = sum(each.requests_sent for each in summaries)
    failed = sum(sum(each.errors.values()) for each in summaries)
    if not failed:
        text = f"Every one of {sent:,} answers was checked, and none was wrong."
        return Finding(subject="answers", level=Level.GOOD, text=text)
    text = f"{failed:,} of {sent:,} requests failed; the cells concerned are not valid."
    return Finding(subject="answers", level=Level.DOUBTFUL if 2 * failed < sent else Level.BAD, text=text)


def _generator(summaries: Sequence[CellSummary]) -> Finding:
    busiest = max(summaries, key=lambda each: each.generator_cpu_fraction)
    share = busiest.generator_cpu_fraction
    level = Level.GOOD if share <= GENERATOR_WORTH_SAYING else Level.DOUBTFUL
    level = Level.BAD if share > GENERATOR_LIMIT else level
    text = f"The load generator used at most {_share(share)} of a core ({busiest.cell}), " + (
        "so it was not the limit."
        if level is Level.GOOD
        else "close to all of it: there it may have been the limit."
    )
    return Finding(subject="generator", level=level, text=text)


def _server(rounds: Sequence[Measurement], cores: int | None) -> Iterator[Finding]:
    """What the servers used of the processors, in the rounds in which nothing but they held users back."""
    shares = [
        each.server.cpu_s / _window_s(each) / cores
        for each in rounds
        if each.server.cpu_s is not None and cores and _window_s(each) and each.schedule is None
    ]
    if shares:
        text = (
            f"The servers used {_share(median(shares))} of the {_counted(cores or 0, 'processor')} in the "
            f"median round, from {_share(min(shares))} to {_share(max(shares))}."
        )
        yield Finding(subject="server", level=Level.GOOD, text=text)


def _window_s(measurement: Measurement) -> float:
    """How long the server was watched: a little longer than the load, with what it finishes after that."""
    return max(_elapsed_s(measurement), measurement.load.elapsed_s)


def _noise(rounds: Sequence[Measurement], cores: int | None) -> Iterator[Finding]:
    """Steal time, and what anybody else used."""
    known = [each for each in rounds if each.machine and each.machine.elapsed_s]
    capacity_s = sum(_elapsed_s(each) for each in known) * (cores or 0)
    steal = [each.machine.steal_s for each in known if each.machine and each.machine.steal_s is not None]
    if not capacity_s or len(steal) < len(known):
        text = "Whether the host took processor time away (steal) is not known."
        yield Finding(subject="steal", level=Level.UNKNOWN, text=text)
    else:
        share = sum(steal) / capacity_s
        text = f"The host took {_share(share)} of the processors' time away (steal)."
        level = _level(share, STEAL_WORTH_SAYING, STEAL_LIMIT)
        yield Finding(subject="steal", level=level, text=text)
    others = [_others_s(each) for each in known]
    left = [each for each in others if each is not None]
    if not capacity_s or len(left) < len(known):
        text = "How much other processes used is not known."
        yield Finding(subject="others", level=Level.UNKNOWN, text=text)
    else:
        share = max(0.0, sum(left)) / capacity_s
        text = f"All else on the machine, the kernel's network included, used {_share(share)} of it."
        level = _level(share, OTHERS_WORTH_SAYING, OTHERS_LIMIT)
        yield Finding(subject="others", level=level, text=text)


def _elapsed_s(measurement: Measurement) -> float:
    usage = measurement.machine
    return (usage.elapsed_s if usage else None) or 0.0


def _others_s(measurement: Measurement) -> float | None:
    """Processor time of neither the server nor the generator nor pytest; a single round's may be below 0."""
    usage, server_s = measurement.machine, measurement.server.cpu_s
    if usage is None or usage.busy_s is None or server_s is None:
        return None
    return usage.busy_s - server_s - measurement.load.generator_cpu_s - (usage.own_s or 0.0)


def _balance(rounds: Sequence[Measurement]) -> Iterator[Finding]:
    """Whether each process of a server had as many connections as the others; nothing if not known."""
    held = [each for each in rounds if len(each.load.held) > 1]
    uneven = [each for each in held if _unevenness(each) > UNEVEN]
    if uneven:
        worst = max(uneven, key=_unevenness)
        shown = " and ".join(map(str, worst.load.held))
        text = (
            f"In {len(uneven)} of {len(held)} rounds the processes of a server had unequal numbers of "
            f"connections, at worst {shown} ({worst.trial.cell})."
        )
        yield Finding(subject="balance", level=Level.DOUBTFUL, text=text)
    elif held:
        text = "The processes of each server had as many connections as each other, or nearly."
        yield Finding(subject="balance", level=Level.GOOD, text=text)


def _unevenness(measurement: Measurement) -> float:
    """By how much the process with the most connections has more than the least, as a share of the mean.

    A difference of one cannot be helped.
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
