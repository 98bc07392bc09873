"""A suite with a database."""

import json
from pathlib import Path

from pytest_webbench import (
    Amount,
    Answer,
    BodyRule,
    Effect,
    EffectKind,
    Exchange,
    Request,
    Scenario,
    Stack,
    Suite,
    Unit,
)

HERE = Path(__file__).parent
PROGRAM = "{data_dir}/database.py"
DATABASE = "{data_dir}/notes.db"
# Preloaded: two workers that switch SQLite to WAL at the same moment can lock each other out.
SERVER = "{python} -m gunicorn --preload --workers {workers} --threads {threads} --bind {bind} app:app"


class Notes:
    """A thousand notes in SQLite."""

    default_count = 1000

    def records(self, count):
        return tuple({"id": key, "text": f"note {key}"} for key in range(1, count + 1))

    def prepare(self, running, records):
        running.put_file("database.py", (HERE / "database.py").read_bytes())
        running.put_file("notes.json", json.dumps(records).encode())

    def load(self, running):
        running.execute([PROGRAM, "fill", "{data_dir}/notes.json", DATABASE])

    def state(self, running):
        rows = json.loads(running.execute([PROGRAM, "show", DATABASE]))
        return {key: {"id": key, "text": text} for key, text in rows}

    def observe(self, get):
        return ()


def read(record):
    answer = Answer(status=200, rule=BodyRule.JSON, json=dict(record))
    return Exchange(request=Request(path=f"/notes/{record['id']}"), answer=answer)


def add(text):
    return Exchange(
        request=Request(method="POST", path="/notes/", body=json.dumps({"text": text})),
        answer=Answer(status=201, rule=BodyRule.JSON, json={"text": text}, generated=("id",)),
        effect=Effect(kind=EffectKind.INSERT, record={"text": text}),
    )


def reads(records, count, rng):
    return [read(record) for record in rng.choices(records, k=count or len(records))]


def additions(records, count, rng):
    return [add(f"note {rng.randrange(10**9)}") for _ in range(count or 1000)]


def pytest_webbench_suites(config):
    return [Suite(name="notes", dataset=Notes())]


def pytest_webbench_scenarios(config):
    return [
        Scenario(
            name="read_note",
            suite="notes",
            users=10,
            amount=Amount(duration_s=5.0),
            traffic=reads,
        ),
        Scenario(
            name="add_note",
            suite="notes",
            users=5,
            amount=Amount(requests=500),
            traffic=additions,
            unit=Unit.TIME,
            writes=True,
        ),
    ]


def pytest_webbench_stacks(config):
    return [
        Stack(
            name="notes-flask",
            suite="notes",
            folder=HERE / "app",
            command=tuple(SERVER.split()),
            env=(("DATABASE_PATH", DATABASE),),
            lock="requirements.lock",
            ready=Exchange(request=Request(path="/notes/0"), answer=Answer(status=404)),
            packages=("flask", "gunicorn"),
        )
    ]
