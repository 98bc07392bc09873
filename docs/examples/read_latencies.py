"""Prints the slowest request of every round of a run: ``python read_latencies.py .webbench/RUN``."""

import json
import sys
from pathlib import Path

from pytest_webbench.model.codec import from_json
from pytest_webbench.model.measurement import Measurement

for line in Path(sys.argv[1], "trials.jsonl").read_text().splitlines():
    event = json.loads(line)
    if "trial" in event:
        measurement = from_json(Measurement, event["trial"])
        slowest_ms = measurement.load.latency_ns.max_ns / 1e6
        print(f"{measurement.trial.cell} round {measurement.trial.round + 1}: {slowest_ms:.1f} ms")
