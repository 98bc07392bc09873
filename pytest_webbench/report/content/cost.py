"""What each stack costs: processor time, memory, start-up, image, lines of code."""

from collections.abc import Iterator, Sequence

from pytest_webbench.model.run import SavedRun
from pytest_webbench.report.content.blocks import Chart, Part, Room, Section, Table, numbers, words
from pytest_webbench.report.content.text import shown_bytes, shown_milliseconds, shown_significant

__all__ = ["cost_sections"]

LEAD = (
    "Processor time is what the kernel booked to the server's processes, so it is steadier than response "
    "times on a busy machine. Lines of code are those of the application, without comments, docstrings and "
    "blank ones.",
)


def cost_sections(records: Sequence[SavedRun]) -> Iterator[Section]:
    """What the stacks of the last run cost."""
    record = records[-1]
    if not record.summaries:
        return
    chart = Chart(
        name="cost-cpu",
        file="cost",
        title="Processor time of the server for each request",
        heading="CPU time for each request",
        label="CPU time per request of each stack in each scenario; the table below has them",
        draw=lambda charts: charts.costs(record),
        table=_by_cell(record),
        wide=True,
    )
    known = any(each.value("cpu") for each in record.summaries)
    part = Part(
        name="cost-all",
        charts=(chart,) if known else (),
        tables=(_by_stack(record),),
        legend=known,
        room=Room.FULL,
    )
    yield Section(name="cost", title="Cost", parts=(part,), lead=LEAD)


def _by_stack(record: SavedRun) -> Table:
    rows = []
    for stack in record.stacks():
        cells = [each for each in record.summaries if each.cell.stack == stack]
        about = record.about.stacks.get(stack)
        peaks = [peak for each in cells if (peak := each.value("memory")) is not None]
        startups = [each.startup_s for each in cells if each.startup_s is not None]
        image = next((v for each in cells if (v := each.launch.config.get("image_bytes")) is not None), None)
        lines = about.code_lines if about else None
        rows.append(
            (
                stack,
                shown_bytes(max(peaks, default=None)),
                "-" if not startups else f"{startups[0]:.2f}",
                shown_bytes(float(image) if isinstance(image, int) else None),
                "-" if lines is None else f"{lines:,}",
            )
        )
    return Table(
        caption="Each stack: memory is the largest of its cells, start-up the median of its launches",
        columns=(*words("stack"), *numbers("peak MiB", "start-up s", "image MiB", "lines of code")),
        rows=tuple(rows),
    )


def _by_cell(record: SavedRun) -> Table:
    cells = [(each.cell, each.value("cpu")) for each in record.summaries]
    return Table(
        caption="Processor time of the server's processes",
        columns=(*words("scenario", "stack"), *numbers("CPU ms/request", "requests per CPU-second")),
        rows=tuple(
            (
                cell.scenario,
                cell.stack,
                shown_milliseconds(cpu_s, 3),
                shown_significant(1 / cpu_s if cpu_s else None),
            )
            for cell, cpu_s in cells
        ),
    )
