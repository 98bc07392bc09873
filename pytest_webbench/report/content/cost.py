"""The cost of each stack: CPU time, memory, start-up, image, lines of code."""

from collections.abc import Iterator, Sequence

from pytest_webbench.analysis.cross_run import launch_provenance
from pytest_webbench.analysis.metrics import METRICS
from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import Chart, Part, Room, Section, Table, numbers, words
from pytest_webbench.report.content.text import largest, shown_significant

__all__ = ["cost_sections"]

LEAD = (
    "CPU time is what the kernel charged to the server's processes, so on a busy machine it is steadier than "
    "response times. Lines of code are those of the application, without comments, docstrings and blank "
    "lines.",
)


def cost_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """Yield the costs of the stacks of the last run."""
    record = records[-1]
    if not record.summaries or record.counts:
        return
    chart = Chart(
        file="cost",
        title="CPU time of the server per request",
        draw=lambda charts: charts.costs(record),
        table=_by_cell(record),
        wide=True,
    )
    known = any(each.value("cpu") for each in record.summaries)
    part = Part(charts=(chart,) if known else (), tables=(_by_stack(record),), legend=known, room=Room.FULL)
    yield Section(name="cost", title="Cost", parts=(part,), lead=LEAD)


def _by_stack(record: SavedRun) -> Table:
    memory, rows = METRICS["memory"], []
    for stack in record.stacks():
        cells = [each for each in record.summaries if each.cell.stack == stack]
        about = record.metadata.stacks.get(stack)
        startups = [each.startup_s for each in cells if each.startup_s is not None]
        image_bytes = largest(launch_provenance(each.launch).image_bytes for each in cells)
        lines = about.code_lines if about else None
        rows.append(
            (
                stack,
                memory.shown(largest(each.value(memory.key) for each in cells)),
                "-" if not startups else f"{startups[0]:.2f}",
                memory.shown(image_bytes),
                "-" if lines is None else f"{lines:,}",
            )
        )
    unit = memory.quantity.shown
    return Table(
        caption=(
            "Each stack: peak memory is the largest of its benchmarks, start-up the median of its launches"
        ),
        columns=(*words("stack"), *numbers(f"peak {unit}", "start-up s", f"image {unit}", "lines of code")),
        rows=tuple(rows),
    )


def _by_cell(record: SavedRun) -> Table:
    cpu, stacks = METRICS["cpu"], record.stacks()
    cells = [
        (each.cell, each.value(cpu.key))
        for scenario in record.scenarios()
        for each in sorted(record.cells_of(scenario), key=lambda one: stacks.index(one.cell.stack))
    ]
    return Table(
        caption="CPU time of the server's processes",
        columns=(*words("scenario", "stack"), *numbers(cpu.column, "requests per CPU-second")),
        rows=tuple(
            (cell.scenario, cell.stack, cpu.shown(cpu_s), shown_significant(1 / cpu_s if cpu_s else None))
            for cell, cpu_s in cells
        ),
    )
