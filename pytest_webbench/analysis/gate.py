"""Verdicts on a head against its base, from paired rounds; and the thresholds that they use.

A pair is a round of the head and one of the base from the same block: each from its own launch, measured in
alternating slices. The tests use the logarithm of their ratio.

* *Slower* and *faster*: one-sided t tests (Student 1908) of whether the mean lies beyond the threshold,
  not merely beyond no change. All cells and metrics of a run are one family, corrected by Holm's method
  (Holm 1979), so that the chance of any false alarm in the whole run is bounded.
* *No change*: the confidence interval lies within the threshold on both sides, the two one-sided tests of
  equivalence (Schuirmann 1987).
* Rounds are added until everything is decided, and each look at the data is a chance for error. So the total
  error allowed, :data:`ALPHA`, is spent over the looks (Lan and DeMets 1983): look ``k`` gets
  ``ALPHA / (k (k + 1))``, which never adds up to more than the total, however many looks there are.

Counts of launches that agree, or that all give the same verdict, are compared without a test.
"""

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from statistics import fmean

from pytest_webbench.analysis.metrics import Metric, Rule, find_metric, judged
from pytest_webbench.analysis.statistics import deviation, ratio_interval
from pytest_webbench.analysis.validity import STEADY
from pytest_webbench.model.plan import Cell
from pytest_webbench.model.reasons import Code, Reason, code_of
from pytest_webbench.model.results import Comparison, Interval, Remark, Threshold, Verdict, spread_of

__all__ = [
    "ALPHA",
    "FEWEST_LAUNCHES",
    "FEWEST_PAIRS",
    "GROWTH",
    "POWER",
    "PairedSamples",
    "describe_limit",
    "holm",
    "is_unsteady",
    "judge_family",
    "pairs_missing",
    "parse_threshold",
    "remarks",
    "threshold_of",
]

ALPHA = 0.05
"""The chance of a false alarm allowed for a whole run."""
POWER = 0.8
"""The probability of detecting the smallest effect that is printed."""
ASSURANCE = 0.9
"""The probability that the suggested number of pairs decides."""
CAUTION = 0.5
"""The true distance from the threshold may be smaller than observed, by this many standard errors ..."""
LEAST_OF_DISTANCE = 0.7
"""... but is not assumed to be below this fraction of it."""
GROWTH = 1.5
"""The number of pairs of each look, relative to the previous one."""
FEWEST_PAIRS = 3
"""Fewer pairs are not tested."""
FEWEST_LAUNCHES = 2
"""One launch does not show whether others would give the same count."""
_MOST_PAIRS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedSamples:
    """A metric of a cell and of its base: ``base[i]`` and ``head[i]`` are a pair.

    ``why`` is the reason why it cannot be tested, if any, regardless of the pairs; ``void`` is why the two
    sides do different work, if they do.
    """

    cell: Cell
    base_stack: str
    threshold: Threshold
    base: tuple[float, ...]
    head: tuple[float, ...]
    why: str = ""
    void: str = ""

    @property
    def metric(self) -> str:
        """The key of the compared metric."""
        return self.threshold.metric

    @property
    def rule(self) -> Rule | None:
        """The rule for its verdict."""
        return find_metric(self.metric).rule


def judge_family(all_samples: Sequence[PairedSamples], *, look: int) -> list[Comparison]:
    """Return a verdict on each of ``all_samples``, the whole family of a run, at look ``look`` (from 1)."""
    tested = [each for each in all_samples if _is_tested(each) and _reason_against(each) == ""]
    p_values = [_p_change(each) for each in tested]
    adjusted = dict(zip(map(id, tested), holm(p_values), strict=True))
    return [
        _judge(each, adjusted[id(each)], look=look, family=max(1, len(tested)))
        if id(each) in adjusted
        else _count(each)
        if each.rule is Rule.COUNT
        else _void(each)
        if each.void
        else _compare_exactly(each, settled)
        if (settled := _settled(each))
        else _leave_open(each)
        for each in all_samples
    ]


def _is_tested(samples: PairedSamples) -> bool:
    exact = samples.rule is Rule.EXACT
    return samples.rule is Rule.RATIO or (exact and not samples.void and _settled(samples) is None)


def _settled(samples: PairedSamples) -> PairedSamples | None:
    """Return the counts that decide without a test; ``None`` if there are none.

    These are all of them if the launches of each side agree, or if it does not matter which launches are
    compared; else those that agree, if they are the majority: now and then, a launch collects all garbage
    during the requests.
    """
    spread = _spread(samples)
    if spread is None or samples.why or samples.void:
        return None
    steady = _steady(samples.metric)
    verdicts = {
        _exact_verdict(base, head, samples.threshold)
        for base, head in (
            (min(samples.base), max(samples.head)),
            (max(samples.base), min(samples.head)),
        )
    }
    alike = len(verdicts) == 1 and (Verdict.NO_CHANGE in verdicts or len(samples.head) >= FEWEST_PAIRS)
    if spread <= steady or alike:
        return samples
    base, head = _majority(samples.base, steady), _majority(samples.head, steady)
    return replace(samples, base=base, head=head) if base and head else None


def _majority(values: Sequence[float], steady: float) -> tuple[float, ...]:
    """Return the ``values`` that agree, if they are three or more, and more than half; else none."""
    groups = [tuple(each for each in values if low <= each <= low * (1 + steady)) for low in values]
    largest = max(groups, key=len)
    return largest if len(largest) >= max(FEWEST_PAIRS, len(values) // 2 + 1) else ()


def _exact_verdict(base: float, head: float, threshold: Threshold) -> Verdict:
    """Return the verdict on two counts that are not in doubt."""
    if head / base > 1 + threshold.limit and head - base > threshold.floor:
        return Verdict.SLOWER
    if base / head > 1 + threshold.limit and base - head > threshold.floor:
        return Verdict.FASTER
    return Verdict.NO_CHANGE


def _spread(samples: PairedSamples) -> float | None:
    """Return by what fraction the launches of the worse side differ; ``None`` if that is not known."""
    both = (*samples.base, *samples.head)
    if samples.rule is not Rule.EXACT or len(samples.head) < FEWEST_LAUNCHES or min(both) <= 0:
        return None
    return max(map(spread_of, (samples.base, samples.head)))


def _steady(metric: str) -> float:
    """Return the spread within which launches agree: half of the metric's default limit."""
    limit = find_metric(metric).limit
    return STEADY if limit is None else limit / 2


def _void(samples: PairedSamples) -> Comparison:
    return replace(
        _leave_open(samples), verdict=Verdict.VOID, why=samples.void, why_code=code_of(samples.void)
    )


def _compare_exactly(all_samples: PairedSamples, samples: PairedSamples) -> Comparison:
    """Compare ``samples`` without a test; the interval spans the ratios of all pairs of launches."""
    base, head = _mean(samples.base), _mean(samples.head)
    return replace(
        _leave_open(samples),
        spread=_spread(all_samples),
        verdict=_exact_verdict(base, head, samples.threshold),
        ratio=Interval(
            estimate=head / base,
            low=min(samples.head) / max(samples.base),
            high=max(samples.head) / min(samples.base),
        ),
        p_value=math.nan,
        why="",
        why_code="",
    )


def _alpha(look: int) -> float:
    """Return the error spent at look number ``look``; all looks together spend :data:`ALPHA`."""
    return ALPHA / (look * (look + 1))


def pairs_missing(undecided: Sequence[Comparison]) -> int:
    """Return how many more pairs would decide a cell with these ``undecided`` metrics.

    One metric that got worse decides a cell; if none seems to have, all metrics must be decided.
    """
    worse = [each for each in undecided if each.ratio.estimate > 1 + each.threshold.limit]
    missing = [(each.pairs_needed or each.pairs) - each.pairs for each in worse or undecided]
    return min(missing) if worse else max(missing)


def remarks(comparisons: Sequence[Comparison], *, needed_s: float | None) -> list[Remark]:
    """Return remarks: metrics that cannot be compared, what would decide others, the smallest effects.

    ``needed_s`` is the budget in seconds that would decide the undecided metrics.
    """
    barred: dict[tuple[Cell, str, str], list[str]] = {}
    for each in comparisons:
        if each.why:
            barred.setdefault((each.cell, each.why, each.why_code), []).append(each.metric)
    found = [
        Remark(code=code, subject=f"{', '.join(metrics)} of {cell}", text=why)
        for (cell, why, code), metrics in barred.items()
    ]
    for each in comparisons:
        if is_unsteady(each) and not each.why:
            reason = Code.UNSTEADY_JUDGED.reason(spread=each.spread or 0.0, launches=each.pairs)
            found.append(_remark(reason, f"{each.metric} of {each.cell}"))
    undecided = [each for each in comparisons if each.verdict is Verdict.INCONCLUSIVE and not each.why]
    for each in undecided:
        reason = Code.ROUNDS_UNKNOWN.reason(made=each.pairs)
        if each.pairs_needed is not None:
            reason = Code.ROUNDS_NEEDED.reason(needed=each.pairs_needed, made=each.pairs)
        found.append(_remark(reason, f"{each.metric} of {each.cell}"))
    if undecided and needed_s is not None:
        found.append(_remark(Code.BUDGET_NEEDED.reason(seconds=math.ceil(needed_s))))
    effects: dict[str, float] = {}
    for each in comparisons:
        if each.smallest_effect is not None:
            effects[each.metric] = max(each.smallest_effect, effects.get(each.metric, 0.0))
    if effects:
        texts = (f"{metric} {effect * 100:.1f} %" for metric, effect in effects.items())
        found.append(_remark(Code.SMALLEST_EFFECT.reason(effects=", ".join(texts))))
    return found


def is_unsteady(comparison: Comparison) -> bool:
    """Return whether the launches of a side did not agree, so that an interval decides."""
    return comparison.spread is not None and comparison.spread > _steady(comparison.metric)


def _remark(reason: Reason, subject: str = "") -> Remark:
    return Remark(code=code_of(reason), subject=subject, text=str(reason))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p values, adjusted for their number by Holm's step-down method, in the same order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [1.0] * len(p_values)
    so_far = 0.0
    for rank, index in enumerate(order):
        so_far = max(so_far, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = so_far
    return adjusted


def _reason_against(samples: PairedSamples) -> str:
    """Return the reason why the samples cannot be tested; empty if they can."""
    pairs = len(samples.base)
    if samples.why:
        return samples.why
    spread = _spread(samples)
    if pairs < FEWEST_PAIRS and spread is not None:
        return Code.LAUNCHES_DIFFER.reason(spread=spread, launches=pairs, fewest=2 * FEWEST_PAIRS)
    if samples.rule is Rule.EXACT and pairs < FEWEST_LAUNCHES:
        return Code.PAIRS_TOO_FEW.reason(pairs=pairs, fewest=FEWEST_LAUNCHES)
    if pairs < FEWEST_PAIRS:
        return Code.PAIRS_TOO_FEW.reason(pairs=pairs, fewest=FEWEST_PAIRS)
    if min(samples.base) <= 0 or min(samples.head) <= 0:
        return Code.VALUE_ZERO.reason()
    return ""


def _count(samples: PairedSamples) -> Comparison:
    """Compare counts, such as errors. They need no test: their sums over all pairs are known exactly."""
    base, head = math.fsum(samples.base), math.fsum(samples.head)
    allowed = samples.threshold.limit * len(samples.head)
    verdict = Verdict.NO_CHANGE
    if head - base > allowed:
        verdict = Verdict.SLOWER
    elif base - head > allowed:
        verdict = Verdict.FASTER
    why = samples.why or ("" if samples.head else Code.NO_PAIR.reason())
    return replace(
        _leave_open(samples),
        verdict=Verdict.INCONCLUSIVE if why else verdict,
        base=base if samples.base else math.nan,
        head=head if samples.head else math.nan,
        why=why,
        why_code=code_of(why),
    )


def _leave_open(samples: PairedSamples) -> Comparison:
    why = _reason_against(samples)
    return Comparison(
        cell=samples.cell,
        base_stack=samples.base_stack,
        metric=samples.metric,
        threshold=samples.threshold,
        verdict=Verdict.INCONCLUSIVE,
        base=_mean(samples.base),
        head=_mean(samples.head),
        ratio=Interval(estimate=math.nan, low=math.nan, high=math.nan),
        pairs=len(samples.base),
        p_value=1.0,
        why=why,
        why_code=code_of(why),
        spread=_spread(samples),
    )


def _judge(samples: PairedSamples, p_adjusted: float, *, look: int, family: int) -> Comparison:
    logs, bound, alpha = _logs(samples), math.log1p(samples.threshold.limit), _alpha(look)
    centre = fmean(logs)
    comparison = replace(
        _leave_open(samples),
        ratio=ratio_interval(samples.head, samples.base),
        p_value=p_adjusted,
        smallest_effect=_smallest_effect(logs, bound, alpha / family),
    )
    if p_adjusted <= alpha:
        if centre < 0:
            return replace(comparison, verdict=Verdict.FASTER)
        small = comparison.head - comparison.base <= samples.threshold.floor
        return replace(comparison, verdict=Verdict.NO_CHANGE if small else Verdict.SLOWER)
    if _p_equivalent(logs, bound) <= alpha / 2:
        return replace(comparison, verdict=Verdict.NO_CHANGE)
    return replace(comparison, pairs_needed=_pairs_needed(logs, bound, look, family))


def _logs(samples: PairedSamples) -> list[float]:
    return [math.log(head / base) for head, base in zip(samples.head, samples.base, strict=True)]


def _p_change(samples: PairedSamples) -> float:
    """Return the p value of the hypothesis that the change is within the threshold in both directions."""
    logs, bound = _logs(samples), math.log1p(samples.threshold.limit)
    return min(1.0, 2 * min(_p_above(logs, bound), _p_above([-each for each in logs], bound)))


def _p_equivalent(logs: Sequence[float], bound: float) -> float:
    """Return the p value of the hypothesis that the change is beyond the threshold in either direction."""
    return max(_p_above(logs, -bound), _p_above([-each for each in logs], -bound))


def _p_above(values: Sequence[float], bound: float) -> float:
    """Return the p value of the hypothesis that the mean of ``values`` is at most ``bound`` (one-sided t)."""
    from scipy.special import stdtr  # noqa: PLC0415

    distance, spread = fmean(values) - bound, deviation(values)
    if spread == 0:
        return 0.0 if distance > 0 else 1.0
    return float(stdtr(len(values) - 1, -distance / spread * math.sqrt(len(values))))


def _smallest_effect(logs: Sequence[float], bound: float, alpha: float) -> float:
    """Return the growth that this many pairs of this spread detect with :data:`POWER`."""
    return math.expm1(bound + _reach(deviation(logs), len(logs), alpha, POWER))


def _reach(spread: float, pairs: int, alpha: float, power: float) -> float:
    """Return how far beyond a bound the mean must lie to be detected there with ``power``."""
    from scipy.special import stdtrit  # noqa: PLC0415

    quantiles = stdtrit(pairs - 1, 1 - alpha / 2) + stdtrit(pairs - 1, power)
    return float(quantiles) * spread / math.sqrt(pairs)


def _pairs_needed(logs: Sequence[float], bound: float, look: int, family: int) -> int | None:
    """Return how many pairs in a new run would decide with :data:`ASSURANCE`; ``None`` if too many to say.

    The looks in between leave less error for the last one. Beyond the threshold, the number is corrected for
    the whole family; within it, it is not. The rule was chosen by simulation (docs/method.md).
    """
    made, spread = len(logs), deviation(logs)
    beyond, seems = abs(fmean(logs)) > bound, abs(abs(fmean(logs)) - bound)
    distance = max(LEAST_OF_DISTANCE * seems, seems - CAUTION * spread / math.sqrt(made))
    counts = range(made + 1, _MOST_PAIRS + 1)

    def decide(pairs: int) -> bool:
        alpha = _alpha(look + math.ceil(math.log(pairs / made, GROWTH)))
        return _reach(spread, pairs, alpha / family if beyond else alpha, ASSURANCE) <= distance

    found = bisect_left(counts, True, key=decide)
    return counts[found] if found < len(counts) else None


def _mean(values: Sequence[float]) -> float:
    """Return the geometric mean; NaN without values, 0 if one of them is 0 or less."""
    if not values:
        return math.nan
    if min(values) <= 0:
        return 0.0
    return math.exp(fmean(map(math.log, values)))


_TEXT = re.compile(
    r"(?P<metric>[a-z0-9_]+)"
    r"(?: +of +(?=[^: ])(?P<scenario>[^\[\]:]*[^\[\]: ])?(?:\[(?P<stack>[^\[\]]+)\])?)?"
    r" *: *(?P<limit>\d+(?:\.\d+)?) *(?P<percent>%?)"
    r"(?: +and +(?P<floor>\d+(?:\.\d+)?) *(?P<unit>[a-z]*))?"
)


def parse_threshold(text: str) -> Threshold:
    """Parse a threshold such as ``p95 of hello[flask-*]: 10% and 2ms``.

    Raises :class:`ValueError` with a message for the user.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is not METRIC[ of SCENARIO[STACK]]: LIMIT, such as 'p95: 10%'")
    known = {each.key: each for each in judged()}
    if found["metric"] not in known:
        raise ValueError(f"{text!r}: {found['metric']!r} is not a metric (known: {', '.join(known)})")
    metric = known[found["metric"]]
    number, relative, counted = float(found["limit"]), bool(found["percent"]), metric.rule is Rule.COUNT
    if relative == counted:
        how = f"a number of {metric.quantity.noun}, such as 0" if counted else "a percentage, such as 10%"
        raise ValueError(f"{text!r}: the limit of {metric.key} is {how}")
    if counted and found["floor"]:
        raise ValueError(f"{text!r}: {metric.key} have no floor")
    return Threshold(
        metric=metric.key,
        limit=number / 100 if relative else number,
        floor=_floor(text, metric, found["floor"], found["unit"] or ""),
        scenario=found["scenario"] or "*",
        stack=found["stack"] or "*",
    )


def _floor(text: str, metric: Metric, number: str | None, unit: str) -> float:
    if number is None:
        return 0.0
    quantity = metric.quantity
    if unit not in quantity.units:
        raise ValueError(f"{text!r}: write the floor of {metric.key} like {quantity.example}")
    return float(number) * quantity.units[unit]


def threshold_of(thresholds: Sequence[Threshold], metric: Metric, cell: Cell) -> Threshold | None:
    """Return the last of ``thresholds`` for ``metric`` in ``cell``; else the metric's default, if any."""
    for each in reversed(thresholds):
        fits = fnmatchcase(cell.scenario, each.scenario) and fnmatchcase(cell.stack, each.stack)
        if each.metric == metric.key and fits:
            return each
    if metric.limit is None:
        return None
    return Threshold(metric=metric.key, limit=metric.limit, floor=metric.floor)


def describe_limit(threshold: Threshold) -> str:
    """Return the limit in short form: ``+10 %``, ``0 more``."""
    metric = find_metric(threshold.metric)
    if metric.rule is Rule.COUNT:
        return f"{threshold.limit:g} more"
    quantity, floor = metric.quantity, ""
    if threshold.floor:
        floor = f" and {threshold.floor * quantity.factor:g} {quantity.shown}".rstrip()
    return f"+{threshold.limit * 100:g} %{floor}"
