"""What the database must hold after a load, and every way in which it may not."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_webbench.analysis.database_state import records_by_key, state_faults
from pytest_webbench.model.http import Answer, Effect, EffectKind, Exchange, Record, Request

BEFORE = records_by_key({"id": key, "name": f"n{key}", "price": key / 4} for key in (1, 2, 3))


def insert(**columns: Any) -> Exchange:
    return _exchange(Effect(kind=EffectKind.INSERT, record=columns))


def replace_(key: int, **columns: Any) -> Exchange:
    return _exchange(Effect(kind=EffectKind.REPLACE, key=key, record=columns))


def remove(key: int) -> Exchange:
    return _exchange(Effect(kind=EffectKind.REMOVE, key=key))


READ = Exchange(request=Request(), answer=Answer())


def _exchange(effect: Effect) -> Exchange:
    return Exchange(request=Request(), answer=Answer(), effect=effect)


def faults(
    after: Mapping[int, Record],
    *exchanges: Exchange,
    sent: int | None = None,
    unconfirmed: Sequence[int] = (),
) -> tuple[str, ...]:
    count = len(exchanges) if sent is None else sent
    return state_faults(BEFORE, after, exchanges or [READ], sent=count, unconfirmed=unconfirmed)


def after(*absent: int, **changes: Any) -> dict[int, Record]:
    """``BEFORE`` without ``absent``, and with the changes given as ``_key={...}``."""
    changed = {int(name[1:]): {"id": int(name[1:]), **columns} for name, columns in changes.items()}
    return {key: record for key, record in BEFORE.items() if key not in absent} | changed


NEW = {"name": "new", "price": 9.5}
OTHER = {"name": "other", "price": 1.0}


@pytest.mark.parametrize(
    ("found", "exchanges"),
    [
        pytest.param(after(), [], id="nothing sent"),
        pytest.param(after(), [READ], id="read"),
        pytest.param(after(_4=NEW), [insert(**NEW)], id="insert"),
        pytest.param(after(_77=NEW), [insert(**NEW)], id="the server chooses the key"),
        pytest.param(after(_2=NEW), [replace_(2, **NEW)], id="replace"),
        pytest.param(after(2), [remove(2)], id="remove"),
        pytest.param(after(_4=NEW, _5=NEW), [insert(**NEW), insert(**NEW)], id="twice the same"),
        pytest.param(after(_2=NEW), [replace_(2, **OTHER), replace_(2, **NEW)], id="the last stands"),
        pytest.param(after(_2=OTHER), [replace_(2, **OTHER), replace_(2, **NEW)], id="another was last"),
        pytest.param(after(_3=NEW), [remove(3), insert(**NEW)], id="a key is used again"),
    ],
)
def test_right_states(found: Mapping[int, Record], exchanges: list[Exchange]) -> None:
    assert faults(found, *exchanges) == ()


@pytest.mark.parametrize(
    ("found", "exchanges", "expected"),
    [
        pytest.param(
            after(2),
            [READ],
            "record 2 is absent, expected {'id': 2, 'name': 'n2', 'price': 0.5}",
            id="lost record",
        ),
        pytest.param(
            after(_2=NEW),
            [READ],
            "record 2 is {'id': 2, 'name': 'new', 'price': 9.5}, "
            "expected {'id': 2, 'name': 'n2', 'price': 0.5}",
            id="changed without being asked",
        ),
        pytest.param(
            after(_4=NEW),
            [READ],
            "{'name': 'new', 'price': 9.5} is there 1 times, but was never sent",
            id="surplus",
        ),
        pytest.param(
            after(),
            [insert(**NEW)],
            "{'name': 'new', 'price': 9.5} is there 0 times, expected 1",
            id="lost insert",
        ),
        pytest.param(
            after(_4=NEW, _5=NEW),
            [insert(**NEW)],
            "{'name': 'new', 'price': 9.5} is there 2 times, expected 1",
            id="inserted twice",
        ),
        pytest.param(
            after(),
            [replace_(2, **NEW)],
            "record 2 is {'id': 2, 'name': 'n2', 'price': 0.5}, "
            "expected {'id': 2, 'name': 'new', 'price': 9.5}",
            id="lost update",
        ),
        pytest.param(
            after(),
            [replace_(2, **NEW), replace_(2, **OTHER)],
            "record 2 is {'id': 2, 'name': 'n2', 'price': 0.5}, expected "
            "{'id': 2, 'name': 'new', 'price': 9.5} or {'id': 2, 'name': 'other', 'price': 1.0}",
            id="both updates lost",
        ),
        pytest.param(
            after(),
            [remove(2)],
            "record 2 is {'id': 2, 'name': 'n2', 'price': 0.5}, expected absent",
            id="not removed",
        ),
        pytest.param(
            after(2, _3=NEW),
            [remove(3), insert(**NEW)],
            "record 2 is absent, expected {'id': 2, 'name': 'n2', 'price': 0.5}",
            id="a key used again hides nothing else",
        ),
    ],
)
def test_wrong_states_are_told(found: Mapping[int, Record], exchanges: list[Exchange], expected: str) -> None:
    assert faults(found, *exchanges) == (expected,)


@pytest.mark.parametrize(
    ("exchange", "done"),
    [
        (insert(**NEW), after(_4=NEW)),
        (replace_(2, **NEW), after(_2=NEW)),
        (remove(2), after(2)),
    ],
)
def test_what_got_no_answer_may_or_may_not_have_happened(
    exchange: Exchange, done: Mapping[int, Record]
) -> None:
    assert faults(after(), exchange, unconfirmed=[0]) == ()
    assert faults(done, exchange, unconfirmed=[0]) == ()
    assert len(faults(after(), exchange)) == 1


def test_an_unconfirmed_insert_beside_a_confirmed_one_has_a_range() -> None:
    sent = (insert(**NEW), insert(**NEW))
    assert faults(after(_4=NEW), *sent, unconfirmed=[1]) == ()
    assert faults(after(_4=NEW, _5=NEW), *sent, unconfirmed=[1]) == ()
    assert faults(after(), *sent, unconfirmed=[1]) == (
        "{'name': 'new', 'price': 9.5} is there 0 times, expected 1 to 2",
    )


def test_a_confirmed_update_rules_the_original_out_whatever_else_is_unconfirmed() -> None:
    sent = (replace_(2, **NEW), replace_(2, **OTHER))
    assert faults(after(_2=NEW), *sent, unconfirmed=[1]) == ()
    assert faults(after(_2=OTHER), *sent, unconfirmed=[1]) == ()
    assert len(faults(after(), *sent, unconfirmed=[1])) == 1


def test_only_what_was_sent_counts_and_exchanges_are_sent_over_and_over() -> None:
    sent = (insert(**NEW), insert(**OTHER))
    assert faults(after(_4=NEW), *sent, sent=1) == ()
    assert faults(after(_4=NEW, _5=OTHER, _6=NEW), *sent, sent=3) == ()
    assert faults(after(_4=NEW, _5=OTHER), *sent, sent=3, unconfirmed=[2]) == ()
    assert len(faults(after(_4=NEW, _5=OTHER), *sent, sent=3)) == 1


def test_many_faults_are_counted_after_the_third() -> None:
    found = faults(after(1, 2, 3, _8=NEW, _9=OTHER), READ)
    assert len(found) == 4
    assert found[3] == "and 2 more"


def test_a_long_record_is_cut() -> None:
    (fault,) = faults(after(_4={"name": "x" * 500}), READ)
    assert len(fault) < 200
    assert "xxx... is there 1 times" in fault


# --- a model of a database --------------------------------------------------------------------------

contents = st.fixed_dictionaries({"name": st.sampled_from("abc"), "price": st.sampled_from([0.5, 1, 2])})
keys = st.integers(1, 6)
operations = st.one_of(
    st.builds(lambda content: insert(**content), contents),
    st.builds(lambda key, content: replace_(key, **content), keys, contents),
    st.builds(remove, keys),
    st.just(READ),
)
databases = st.dictionaries(keys, contents).map(
    lambda found: {key: {"id": key, **content} for key, content in found.items()}
)


def apply(exchange: Exchange, database: dict[int, Record]) -> bool:
    """Carry the exchange out as an application with SQLite would; return whether it succeeded."""
    effect = exchange.effect
    if effect is None:
        return True
    if effect.kind is EffectKind.INSERT:
        key = max(database, default=0) + 1  # the key of a removed last record is given again
        database[key] = {"id": key, **effect.record}
        return True
    assert effect.key is not None
    if effect.key not in database:
        return False
    if effect.kind is EffectKind.REMOVE:
        del database[effect.key]
    else:
        database[effect.key] = {"id": effect.key, **effect.record}
    return True


class Fate(Enum):
    """The fate of a request and its response."""

    ANSWERED = 1
    REQUEST_LOST = 2
    ANSWER_LOST = 3


def carry_out(
    before: Mapping[int, Record], exchanges: Sequence[Exchange], fates: Sequence[Fate] = ()
) -> tuple[dict[int, Record], list[int]]:
    """The database after ``exchanges``, and the numbers of those without a right answer."""
    database, unconfirmed = dict(before), []
    for number, exchange in enumerate(exchanges):
        fate = fates[number] if number < len(fates) else Fate.ANSWERED
        done = fate is not Fate.REQUEST_LOST and apply(exchange, database)
        if not done or fate is Fate.ANSWER_LOST:
            unconfirmed.append(number)
    return database, unconfirmed


def sensible(before: Mapping[int, Record], exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Without writes to keys that are not there when the load is made, or that it removes before."""
    left, there = [], set(before)
    for exchange in exchanges:
        effect = exchange.effect
        if effect is not None and effect.key is not None and effect.key not in there:
            continue
        if effect is not None and effect.kind is EffectKind.REMOVE:
            there.discard(effect.key or 0)
        left.append(exchange)
    return left


@given(databases, st.lists(operations, max_size=12), st.lists(st.sampled_from(Fate), max_size=12))
def test_a_database_that_did_what_was_asked_has_no_fault(
    before: dict[int, Record], exchanges: list[Exchange], fates: list[Fate]
) -> None:
    exchanges = sensible(before, exchanges)
    found, unconfirmed = carry_out(before, exchanges, fates)
    assert state_faults(before, found, exchanges, sent=len(exchanges), unconfirmed=unconfirmed) == ()


@given(databases, st.lists(operations, max_size=12), st.data())
def test_every_change_beside_what_was_asked_is_a_fault(
    before: dict[int, Record], exchanges: list[Exchange], data: st.DataObject
) -> None:
    exchanges = sensible(before, exchanges)
    found, unconfirmed = carry_out(before, exchanges)
    kinds = ["add", *(["change", "widen"] if found else [])]
    kind = data.draw(st.sampled_from(kinds))
    if kind == "add":
        key = max([*found, *before], default=0) + 1
        found[key] = {"id": key, "name": "never sent", "price": 0.5}
    else:
        key = data.draw(st.sampled_from(sorted(found)))
        if kind == "change":
            found[key] = {**found[key], "name": "never sent"}
        else:
            found[key] = {**found[key], "surplus": 1}
    assert state_faults(before, found, exchanges, sent=len(exchanges), unconfirmed=unconfirmed)


@given(databases.filter(bool), st.lists(operations, max_size=12), st.data())
def test_a_record_that_nobody_asked_to_remove_must_be_there(
    before: dict[int, Record], exchanges: list[Exchange], data: st.DataObject
) -> None:
    kept = data.draw(st.sampled_from(sorted(before)))
    removal = Effect(kind=EffectKind.REMOVE, key=kept)
    exchanges = [each for each in sensible(before, exchanges) if each.effect != removal]
    found, unconfirmed = carry_out(before, exchanges)
    del found[kept]
    assert state_faults(before, found, exchanges, sent=len(exchanges), unconfirmed=unconfirmed)
