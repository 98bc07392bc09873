"""The page as text: complete, closed in itself, and nothing in it that somebody else wrote."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_webbench.model.plan import Cell
from pytest_webbench.model.results import (
    Level,
    Validity,
)
from pytest_webbench.model.run import SavedRun, StackMetadata
from pytest_webbench.report import page
from pytest_webbench.report.content.document import make_document
from pytest_webbench.report.markdown import render_report
from pytest_webbench.report.page import render_page
from pytest_webbench.suites.items import SUITE
from tests.builders import GET_ITEM, make_run, make_summary
from tests.report.samples import three_stacks

HOSTILE = '\x1b[31m</script><script>alert(1)</script>"><img src=x onerror=alert(2)>\x1b[0m\x07'


class Reader(HTMLParser):
    """What is in a page: its tags with their attributes, and the texts."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.texts.append(data.strip())

    def headings(self) -> list[int]:
        return [int(tag[1]) for tag, _ in self.tags if re.fullmatch("h[1-6]", tag)]


def read(*records: SavedRun) -> Reader:
    reader = Reader()
    reader.feed(render_page(records))
    return reader


def text_of(*records: SavedRun) -> str:
    return " ".join(filter(None, read(*records).texts))


def test_the_first_screen_says_what_was_measured_on_what_and_whether_it_can_be_trusted() -> None:
    text = text_of(three_stacks())
    assert "3 Python web stacks in 1 scenario" in text
    assert "A Processor, 2 CPUs, 4 GiB, Linux 6.1, virtual machine" in text
    assert "2026-11-21 09:15:00+01:00" in text
    assert "All 3 benchmarks are valid." in text


def test_the_whole_configuration_and_the_command_are_in_print() -> None:
    text = text_of(three_stacks())
    assert "pytest --webbench --webbench-seed=7" in text
    assert "kept open for the whole round" in text
    for name in ("launcher", "load generator", "loop", "seed", "kernel", "CPU frequency governor", "warm-up"):
        assert name in text


def test_passwords_in_the_command_are_left_out() -> None:
    url = "http://me:pa55@127.0.0.1:1/"
    stacks = {"django-drf": StackMetadata(title=url)}
    about = {"command": ("pytest", f"--webbench-url={url}"), "stacks": stacks}
    record = three_stacks(about=about, stack_failures={"other": f"{url} does not answer"})
    for text in (render_page([record]), render_report([record])):
        assert "pa55" not in text
        assert "127.0.0.1:1" in text


def test_headings_are_in_order() -> None:
    levels = read(three_stacks(about={"published": SUITE.published})).headings()
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_chart_has_a_label_and_a_table_below_it() -> None:
    reader = read(three_stacks(about={"published": SUITE.published}))
    charts = [attributes for tag, attributes in reader.tags if "data-chart" in attributes]
    assert len(charts) >= 5
    assert all(each["role"] == "img" and each["aria-label"] for each in charts)
    tags = [tag for tag, _ in reader.tags if tag in ("figure", "details", "caption", "th")]
    assert tags.count("figure") == len(charts)
    for start in (number for number, tag in enumerate(tags) if tag == "figure"):
        assert tags[start + 1 : start + 3] == ["details", "caption"]


def test_ids_are_unique_and_links_within_the_page_lead_somewhere() -> None:
    reader = read(three_stacks(about={"published": SUITE.published}))
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in reader.tags if tag == "a"]
    assert all((link or "").removeprefix("#") in ids for link in links)


def test_nothing_is_loaded_from_anywhere() -> None:
    reader = read(three_stacks())
    assert not [tag for tag, _ in reader.tags if tag in ("link", "img", "iframe", "object", "embed", "base")]
    assert not [tag for tag, attributes in reader.tags if "src" in attributes or "style" in attributes]
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in reader.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_page_is_no_larger_than_it_may_be() -> None:
    cells = [Cell(scenario=f"s{one}", stack=f"stack-{other}") for one in range(7) for other in range(5)]
    page = render_page([make_run(dict.fromkeys(cells, (0.01, 0.011, 0.012, 0.013, 0.014)))])
    assert len(page.encode()) < 5_000_000


def test_what_a_server_or_a_stack_says_is_text_and_nothing_else() -> None:
    cell = Cell(scenario=HOSTILE, stack=HOSTILE)
    summary = replace(
        make_summary([0.01, 0.011]),
        cell=cell,
        examples=(HOSTILE,),
        validity=Validity(reasons=(HOSTILE,), warnings=(HOSTILE,)),
    )
    record = make_run({cell: (0.01, 0.011)}, stack_failures={HOSTILE: HOSTILE}, notes=(HOSTILE,))
    record = replace(record, source=HOSTILE, summaries=(summary,))
    ordinary = [tag for tag, _ in read(three_stacks()).tags if tag in ("script", "img")]
    reader = read(record, record)
    assert [tag for tag, _ in reader.tags if tag in ("script", "img")] == ordinary
    assert not [name for _, attributes in reader.tags for name in attributes if name.startswith("on")]
    page = render_page([record])
    assert "\x1b" not in page
    assert "\x07" not in page
    assert "[31m" not in page
    assert "\\x07" in page


def test_one_stack_and_one_round_read_well() -> None:
    text = text_of(make_run({GET_ITEM: (0.01,)}))
    assert "1 Python web stack in 1 scenario" in text
    assert "One round per benchmark" in text
    assert "nan" not in text
    assert "inf" not in text.replace("information", "")


def test_without_a_valid_cell_nothing_is_ranked_and_the_reasons_stand_there() -> None:
    record = make_run()
    invalid = replace(record.summaries[0], validity=Validity(reasons=("the database is wrong: row 7",)))
    record = replace(record, summaries=(invalid,))
    text = text_of(record)
    assert "0 of 1 benchmarks are valid" in text
    assert "the database is wrong: row 7" in text
    assert make_document([record]).level is Level.BAD


def test_without_figures_the_failures_are_shown() -> None:
    record = make_run(stack_failures={"django-drf": "it exited\n    a line of its log"})
    text = text_of(replace(record, summaries=(), measurements=()))
    assert "A benchmark without results" in text
    assert "a line of its log" in text


def test_the_paper_stands_beside_with_its_contradictions() -> None:
    text = text_of(three_stacks(about={"published": SUITE.published}))
    assert "Rank agreement: Kendall's τ =" in text
    assert "its own results give 1.4 and 1.3 times" in text


def test_figures_without_single_response_times_have_no_percentiles() -> None:
    with_them = {each.name for each in make_document([three_stacks()]).sections}
    record = replace(three_stacks(), measurements=(), settings=None)
    view = make_document([record])
    assert {each.name for each in view.sections} == with_them
    charts = [chart.file for each in view.sections for part in each.parts for chart in part.charts]
    assert not [name for name in charts if name.endswith("latency")]


def test_two_runs_are_compared_with_what_differs() -> None:
    base, head = three_stacks(), three_stacks(about={"machine": None})
    text = text_of(base, replace(head, source="another"))
    assert "compared with 1 other run" in text
    assert "3 of 3 shared benchmarks can be compared" in text


def test_runs_that_came_about_otherwise_are_not_ranked() -> None:
    base, head = three_stacks(), three_stacks()
    provenances = {cell: replace(each, engine="k6") for cell, each in head.provenances.items()}
    text = text_of(base, replace(head, provenances=provenances))
    assert "0 of 3 shared benchmarks can be compared" in text
    assert "engine fake then, k6 now: not comparable, so not ranked" in text


def test_a_record_that_says_little_reads_well() -> None:
    record = three_stacks()
    bare = replace(record, metadata=type(record.metadata)(), settings=None)
    text = text_of(bare)
    assert "a machine that was not recorded" in text
    assert "The machine was not recorded." in text


def test_the_library_that_draws_is_put_together_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "user_cache_path", lambda name: tmp_path / name)
    page._bundle.cache_clear()
    first = render_page([three_stacks()])
    monkeypatch.setattr("vl_convert.javascript_bundle", lambda snippet: pytest.fail("made again"))
    page._bundle.cache_clear()
    assert render_page([three_stacks()]) == first


def test_a_cache_that_cannot_be_written_costs_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(page, "user_cache_path", lambda name: tmp_path / "file" / name)
    page._bundle.cache_clear()
    assert "webbenchEmbed" in render_page([three_stacks()])
