"""foyer agent outbox: what a unit still holds, also while the agent runs, and what is in files that were set aside."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from edge.clock import SystemClock
from edge.errors import StateError
from edge.outboxreader import Kept, OutboxReader, Status
from edge.setaside import all_set_aside
from firmware_cfg.times import to_rfc3339
from firmware_cfg.wire import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "outbox.db"
STATUSES: tuple[Status, ...] = get_args(Status)
EPILOG = """\
PATH is the agent's --state folder, or an outbox file in it, such as one that was set aside because it was damaged.
Nothing is changed, and the agent may be running.

export prints one message a line, as the unit sends it, with one event in it and its status beside it: open (to be
sent), undated (its time is not known yet; t_ns is null), acked (the collector has it), rejected (with the reason).
The collector takes such lines as they are and ignores what it has:
  foyer agent outbox export FILE --status open | mosquitto_pub -l -q 1 -t foyer/v1/HUB/UNIT/events …

exit codes: 0 all was read; 1 a damaged file was read as far as it goes; 2 nothing can be read
"""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="foyer agent outbox",
        description="Show or export the events that a unit keeps until a collector has them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = options.add_subparsers(dest="command", required=True, metavar="list|show|export")
    listing = commands.add_parser("list", help="the outbox and the files that were set aside, a line each")
    listing.add_argument("path", type=Path, metavar="PATH")
    show = commands.add_parser("show", help="how many events of which sensor and kind, and what becomes of them")
    show.add_argument("path", type=Path, metavar="PATH")
    show.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    export = commands.add_parser("export", help="the events as JSON lines")
    export.add_argument("path", type=Path, metavar="PATH")
    export.add_argument("--status", choices=STATUSES, action="append", help="only these; may be given again")
    return options


@dataclass
class Summary:
    """Counts by (sensor, kind, status), and the first and last date."""

    counts: Counter[tuple[str, str, Status]] = field(default_factory=Counter)
    first_ns: int | None = None
    last_ns: int | None = None

    def add(self, event: Kept) -> None:
        self.counts[event.sensor, event.kind, event.status] += 1
        if event.t_ns is not None:
            self.first_ns = event.t_ns if self.first_ns is None else min(self.first_ns, event.t_ns)
            self.last_ns = event.t_ns if self.last_ns is None else max(self.last_ns, event.t_ns)

    def of(self, status: Status) -> int:
        return sum(count for key, count in self.counts.items() if key[2] == status)


def run(argv: list[str]) -> int:
    """Do what the command line says; its exit code. Raises StateError where a file cannot be read."""
    options = parser().parse_args(argv)
    file = options.path / NAME if options.path.is_dir() else options.path
    if options.command == "list":
        return _list(file)
    with OutboxReader(file) as reader:
        if options.command == "show":
            _show(reader, as_json=options.json)
        else:
            for line in exported(reader, options.status or STATUSES, SystemClock().wall_ns()):
                print(line)
        return _code(reader)


def exported(reader: OutboxReader, statuses: tuple[Status, ...] | list[Status], now_ns: int) -> Iterator[str]:
    """A line an event: the message that carries it, and beside it what the collector need not know."""
    head = {"v": VERSION, "unit": reader.unit or "", "epoch": reader.epoch or "", "sent_ns": now_ns}
    for event in reader.events():
        if event.status not in statuses:
            continue
        if event.text is None:
            body = {"seq": event.seq, "t_ns": None, "clock": "unsynced", **event.body}
            about: dict[str, Any] = {"boot": event.boot, "mono_ns": event.mono_ns}
        else:
            body, about = json.loads(event.text), {} if event.reason is None else {"reason": event.reason}
        yield json.dumps({**head, "status": event.status, **about, "events": [body]}, ensure_ascii=False)
    if "open" in statuses:
        for epoch, _, text in reader.leftovers():
            yield json.dumps(
                {**head, "epoch": epoch, "status": "open", "events": [json.loads(text)]}, ensure_ascii=False
            )


def _list(file: Path) -> int:
    files = [*([file] if file.exists() else []), *all_set_aside(file)]
    if not files:
        raise StateError(f"{file}: there is no such file, nor one that was set aside")
    code = 0
    for each in files:
        try:
            with OutboxReader(each) as reader:
                summary = _summary(reader)
                what = ", ".join(f"{summary.of(status)} {status}" for status in STATUSES)
                print(f"{each.name}  epoch {reader.epoch or 'unknown'}  {what}{_between(summary)}")
                code = max(code, _code(reader))
        except StateError as error:
            print(f"{each.name}  {error.args[0].partition(': ')[2]}")
            code = 1
    return code


def _summary(reader: OutboxReader) -> Summary:
    summary = Summary()
    for event in reader.events():
        summary.add(event)
    return summary


def _between(summary: Summary) -> str:
    if summary.first_ns is None or summary.last_ns is None:
        return ""
    return f"  from {to_rfc3339(summary.first_ns)} to {to_rfc3339(summary.last_ns)}"


def _show(reader: OutboxReader, *, as_json: bool) -> None:
    summary = _summary(reader)
    leftovers = Counter(epoch for epoch, _, _ in reader.leftovers())
    if as_json:
        rows = [
            {"sensor": sensor, "kind": kind, "status": status, "events": count}
            for (sensor, kind, status), count in sorted(summary.counts.items())
        ]
        whole = {"unit": reader.unit, "epoch": reader.epoch, "max_seq": reader.max_seq, "dropped": reader.dropped}
        print(json.dumps({**whole, "events": rows, "leftovers": leftovers, "unreadable": reader.failures}))
        return
    print(f"unit {reader.unit or 'unknown'}, epoch {reader.epoch or 'unknown'}{_between(summary)}")
    print(f"{reader.max_seq} numbers given, {reader.dropped} events dropped for want of room")
    print(f"{'sensor':24} {'kind':8} " + " ".join(f"{status:>9}" for status in STATUSES))
    for sensor, kind in sorted({(sensor, kind) for sensor, kind, _ in summary.counts}):
        counts = " ".join(f"{summary.counts[sensor, kind, status]:9}" for status in STATUSES)
        print(f"{sensor:24} {kind:8} {counts}")
    for epoch, count in leftovers.items():
        print(f"{count} events of epoch {epoch}, which was set aside, are still to be sent")


def _code(reader: OutboxReader) -> int:
    if not reader.failures:
        return 0
    rest = "; the rest was given up" if reader.gave_up else ""
    print(f"foyer: {reader.path}: it is damaged, {reader.failures} places cannot be read{rest}", file=sys.stderr)
    return 1
