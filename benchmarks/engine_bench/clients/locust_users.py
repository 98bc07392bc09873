"""Users of Locust's fastest class that request one page in a closed loop, in one process.

python locust_users.py URL BODY SECONDS CONNECTIONS

Prints requests, failures, seconds and CPU seconds as JSON, counted from the moment at which all
users run. The body is compared without ``catch_response``, which would cost some percent.
"""

import json
import sys
import time

import gevent
from gevent.event import Event
from locust import FastHttpUser, task
from locust.env import Environment

URL = sys.argv[1]
BODY = sys.argv[2].encode()
SECONDS = float(sys.argv[3])
CONNECTIONS = int(sys.argv[4])
START_TIMEOUT_S = 30.0


class Visitor(FastHttpUser):
    """Sends the next request as soon as it has a response."""

    host = URL
    wrong = 0

    @task
    def ask(self) -> None:
        """Send one request; Locust itself counts a status of 400 and above as a failure."""
        if self.client.get(URL).content != BODY:
            Visitor.wrong += 1


def main() -> None:
    """Run the users and print the counts."""
    environment = Environment(user_classes=[Visitor])
    runner = environment.create_local_runner()
    all_run = Event()
    environment.events.spawning_complete.add_listener(lambda **_: all_run.set())  # type: ignore[no-untyped-call]
    runner.start(CONNECTIONS, spawn_rate=CONNECTIONS)
    assert all_run.wait(START_TIMEOUT_S)
    runner.stats.reset_all()
    begun_s, cpu_s = time.perf_counter(), time.process_time()
    gevent.sleep(SECONDS)
    total = environment.stats.total
    counted = {
        "requests": total.num_requests - total.num_failures,
        "failed": total.num_failures + Visitor.wrong + len(runner.exceptions),
        "seconds": time.perf_counter() - begun_s,
        "cpu_s": time.process_time() - cpu_s,
    }
    runner.quit()
    print(json.dumps(counted))


if __name__ == "__main__":
    main()
