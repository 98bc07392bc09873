"""Codes, and the sentences that they stand for."""

import re
from pathlib import Path
from string import Formatter

import pytest

import pytest_webbench
from pytest_webbench.model.codec import to_saved
from pytest_webbench.model.reasons import Code, Reason, code_of

PACKAGE = Path(pytest_webbench.__file__).parent
GUIDE = Path(__file__).parents[2] / "docs/howto/when-something-fails.md"
INVALID = [each for each in Code if list(Code).index(each) < list(Code).index(Code.UNSTABLE)]


def test_a_reason_is_its_sentence_and_knows_its_code_and_numbers() -> None:
    reason = Code.ROUNDS_MISSING.reason(made=2, planned=5)
    assert reason == "only 2 of 5 rounds were made"
    assert (reason.code, reason.fields) == (Code.ROUNDS_MISSING, {"made": 2, "planned": 5})
    assert code_of(reason) == "rounds-missing"


def test_what_is_not_ours_has_no_code() -> None:
    assert code_of("the image is old") == ""
    assert code_of(Reason("not said")) == ""


def test_a_reason_is_saved_as_its_sentence() -> None:
    assert to_saved({"why": Code.NO_PAIR.reason()}) == {"why": "no pair of rounds can be compared"}


@pytest.mark.parametrize("code", Code)
def test_each_code_is_given_with_the_fields_of_its_sentence(code: Code) -> None:
    source = "".join(file.read_text() for file in PACKAGE.rglob("*.py"))
    fields = {name for _, name, _, _ in Formatter().parse(code.sentence) if name}
    uses = re.findall(rf"Code\.{code.name}\.reason\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)", source)
    if code in (Code.GENERATOR_FREE, Code.GENERATOR_BUSY):
        uses = re.findall(r"code\.reason\(((?:[^()]|\([^()]*\))*)\)", source)
    assert uses
    for use in uses:
        assert {name for name in fields if f"{name}=" in use} == fields


@pytest.mark.parametrize("code", INVALID)
def test_the_guide_says_what_to_do_about_each_reason(code: Code) -> None:
    assert f"`{code}`" in GUIDE.read_text(encoding="utf-8")
