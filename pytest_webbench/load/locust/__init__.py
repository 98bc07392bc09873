"""The Locust engine: load by Locust's workers, on this machine or on many.

Who does what:

* ``engine.py`` is what pytest sees. It imports nothing of Locust; it starts a master as a process of its own
  (``process.py``), or joins one, and talks to it in frames over a socket (``line.py``).
* ``master.py`` has Locust's ``MasterRunner``: it shares a load between the workers that have joined, starts
  them together, and puts their results together.
* ``worker.py`` has Locust's ``WorkerRunner``: it carries out its share (``run.py``), load after load, by
  Locust users (``users.py``), each with a connection whose answers geventhttpclient parses (``channel.py``).
* ``messages.py`` says what master and workers say to each other. Orders and results are custom messages of
  Locust; its heartbeats say who is still there.

``python -m pytest_webbench.load.locust --help`` tells how to start masters and workers by hand.
"""

from pytest_webbench.load.locust.engine import LocustEngine

__all__ = ["LocustEngine"]
