"""The Locust engine: load by Locust's workers, on as many machines as needed.

* ``engine.py`` is the part inside pytest. It does not import Locust; it starts a master as a separate
  process, or joins one.
* ``master.py`` has Locust's ``MasterRunner``: it splits a load between the workers that have joined, starts
  them together, and merges their results.
* ``worker.py`` has Locust's ``WorkerRunner``: it carries out its part with Locust's users (``users.py``), and
  counts what Locust's ``request`` event reports.

``python -m pytest_webbench.load.locust --help`` shows how to start masters and workers by hand.
"""

from pytest_webbench.load.locust.engine import LocustEngine

__all__ = ["LocustEngine"]
