"""The failures that are shown: each once, and how often it came."""

from pytest_webbench.analysis.text import Examples, join_examples, shown_examples
from pytest_webbench.model.http import Request
from tests.builders import make_result


def test_equal_failures_are_one_example_and_later_kinds_are_none() -> None:
    examples = Examples()
    for why in ("a", "b", "a", "c", "d", "a", "b"):
        examples.add(Request(path="/x?token=abc"), why)
    assert examples.texts == ("GET /x?token=***: a", "GET /x?token=***: b", "GET /x?token=***: c")
    assert examples.counts == (3, 2, 1)


def test_those_of_several_loads_are_counted_together_and_shown_once() -> None:
    results = [
        make_result(examples=("a", "b"), example_counts=(1200, 1)),
        make_result(),
        make_result(examples=("c", "a"), example_counts=(2, 34)),
    ]
    assert join_examples(results).counts == (1234, 1, 2)
    assert shown_examples(results) == ("a (1,234 times)", "b", "c (2 times)")


def test_an_engine_that_does_not_count_gives_texts_alone() -> None:
    assert shown_examples([make_result(examples=("a", "a", "b"))]) == ("a (2 times)", "b")
