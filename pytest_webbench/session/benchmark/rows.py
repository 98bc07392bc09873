"""Rows of pytest-benchmark's JSON: which are ours, which are sound, and the ones derived from them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_benchmark import stats, utils

from pytest_webbench.analysis.metrics import derived
from pytest_webbench.model.measurement import Provenance
from pytest_webbench.model.reasons import code_of
from pytest_webbench.runs.rows import FORMAT, INSTRUCTIONS, is_counted, name_of_metric, origin_of, read_row

__all__ = ["as_bytes", "derived_rows", "joined", "mark_unsound", "provenance_of", "why_unsound"]


def as_bytes(output_json: Mapping[str, Any]) -> bytes:
    """Return the content of the file that pytest-benchmark would write."""
    dump: Any = utils.safe_dumps
    return str(dump(output_json, ensure_ascii=True, indent=4)).encode()


def provenance_of(row: Mapping[str, Any]) -> Provenance | None:
    """Return the provenance of the result in a cell's row; ``None`` if it is not one of ours."""
    return None if origin_of(row) is None else read_row(row["extra_info"])[1]


def why_unsound(row: Mapping[str, Any]) -> str | None:
    """Return why ``row`` is neither saved nor compared; ``None`` if it is sound."""
    origin = origin_of(row)
    if origin is None or origin["validity"]["valid"]:
        return None
    return "; ".join(origin["validity"]["reasons"])


def mark_unsound(bench: Any, why: str | None) -> None:
    """Mark an unsound benchmark in its validity, and by a separate group in pytest-benchmark's tables.

    ``why`` is a reason beyond those in its validity.
    """
    origin = bench.extra_info.get("webbench")
    if origin is None:
        return
    if why is not None and origin["validity"]["valid"]:
        origin["validity"] |= {"valid": False, "reasons": [str(why)], "reason_codes": [code_of(why)]}
    if not origin["validity"]["valid"]:
        bench.group = joined(bench.group, "invalid")


def derived_rows(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield rows for the other metrics of a cell, with a value for each round.

    A metric that is unknown in some round has no row.
    """
    info, origin = row["extra_info"], origin_of(row)
    for metric in derived() if origin else ():
        assert origin is not None
        values = [each.get(metric.stored_name) for each in origin["rounds"]]
        if metric.row == info["metric"] or not values or None in values:
            continue
        name = name_of_metric(row["name"], metric.key)
        validity = origin["validity"]
        yield {
            **row,
            "group": joined((row["group"] or "").removesuffix(f": {INSTRUCTIONS}"), metric.key),
            "name": name,
            "fullname": row["fullname"].removesuffix(row["name"]) + name,
            "extra_info": {
                "stack": info["stack"],
                "scenario": info["scenario"],
                "metric": metric.row,
                "webbench": {"format": FORMAT, "derived_from": row["fullname"], "validity": validity}
                | ({"unit_of_cell": origin["unit"]} if is_counted(row) else {}),
            },
            "stats": _stats(values, with_data="data" in row["stats"]),
        }


def joined(group: str | None, word: str) -> str:
    """Return the name of a group of benchmarks, made unique by ``word``."""
    return f"{group}: {word}" if group else word


def _stats(values: Sequence[float], *, with_data: bool) -> dict[str, Any]:
    made: Any = stats.Stats
    statistics = made()
    for value in values:
        statistics.update(value)
    data = {"data": list(values)} if with_data else {}
    return {**statistics.as_dict(), **data, "iterations": 1}
