"""Benchmarks in your own tests."""

import json
from urllib.request import urlopen

from pytest_webbench import Answer, BodyRule, Exchange, Request


def test_greeting_is_quick(webbench):
    result = webbench("hello", users=10, duration_s=0.5, rounds=3)
    assert result.p95_s < 0.2


def test_list_is_quick(webbench):
    result = webbench(Request(path="/items/"), users=10, requests=50)
    assert max(result.mean_response_time_s) < 0.5


def test_echo(webbench):
    request = Request(method="POST", path="/echo", body='{"a": 1}')
    answer = Answer(status=200, rule=BodyRule.JSON, json={"a": 1})
    webbench(Exchange(request=request, answer=answer), users=20, duration_s=0.5)


def test_first_item(webbench_stack):
    webbench_stack.seed()
    with urlopen(f"{webbench_stack.base_url}/items/1", timeout=10) as response:
        assert json.load(response)["id"] == 1
