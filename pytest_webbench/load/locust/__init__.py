"""The Locust engine: load that one machine cannot make, by Locust's workers on as many as it takes.

* ``engine.py`` is what pytest sees. It imports nothing of Locust; it starts a master as a process of its own,
  or joins one.
* ``master.py`` has Locust's ``MasterRunner``: it shares a load between the workers that have joined, starts
  them together, and puts their results together.
* ``worker.py`` has Locust's ``WorkerRunner``: it carries out its part by Locust's users (``users.py``), and
  counts what Locust's ``request`` event tells.

``python -m pytest_webbench.load.locust --help`` tells how to start masters and workers by hand.
"""

from pytest_webbench.load.locust.engine import LocustEngine

__all__ = ["LocustEngine"]
