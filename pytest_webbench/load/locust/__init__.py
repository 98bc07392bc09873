"""The Locust engine: load by Locust's workers, on this machine or on many.

Who does what:

* :mod:`.engine` is what pytest sees. It imports nothing of Locust, which would put gevent in place of the
  sockets and threads of the whole process; it starts a master as a process of its own, or joins one.
* :mod:`.master` has Locust's ``MasterRunner``: it shares a load between the workers that have joined,
  starts them together, and puts their results together.
* :mod:`.worker` has Locust's ``WorkerRunner``: it carries out its share, load after load, by
* :mod:`.user`, Locust users, each of which has a
* :mod:`.channel`, a connection, parsed by geventhttpclient.

The beats of Locust's heart say who is still there; orders and results are custom messages of Locust.
"""

from pytest_webbench.load.locust.engine import LocustEngine

__all__ = ["LocustEngine"]
