"""What `foyer` can be told, in Typer's words.

Each command imports its room of the house inside its own body, so that `foyer replay` loads no web server. Commands
print results on stdout and everything else on stderr. Exit codes: 0 done, 1 done with failures, 2 bad input.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from collector.commands import app as collector_app
from collector.store_commands import add_to
from firmware_cfg.errors import ConfigError

app = typer.Typer(
    name="foyer",
    help="Footfall and building sensors for community hubs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
add_to(collector_app)
app.add_typer(collector_app, name="collector")


@app.command(
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def agent(context: typer.Context) -> None:
    """Run a unit: sensors in, MQTT out. The same as python -m edge, which this process becomes."""
    # -P: an edge.py that lies in the current folder is not ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "edge", *context.args])  # noqa: S606 - no shell, our own module


@app.command()
def replay(
    traces: Annotated[
        list[Path],
        typer.Argument(
            metavar="TRACE",
            help="A recording: .jsonl, .csv or .vcd, also with .gz, or .parquet; or what a unit has recorded: "
            "the folder, or some of its segments. Any other folder: all recordings in it and below.",
            show_default=False,
        ),
    ],
    separation_m: Annotated[
        float | None, typer.Option(help="Metres between the beams; else what the trace says.", show_default=False)
    ] = None,
    debounce_ms: Annotated[
        float | None, typer.Option(help="Ignore changes shorter than this; 8 if not given.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of a table.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Count every recording by itself, a row each, in so many processes; "
            "as many as there are processors where a folder of recordings is given without it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Count the passages in a recording of a door's beams, or in many."""
    from edge import replay as replaying

    if jobs is not None or not replaying.is_one(traces):
        _replay_many(traces, jobs, separation_m, debounce_ms, as_json)
        return
    replaying.tell(replaying.replay(*traces, separation_m=separation_m, debounce_ms=debounce_ms), in_json=as_json)


def _replay_many(
    traces: list[Path], jobs: int | None, separation_m: float | None, debounce_ms: float | None, as_json: bool
) -> None:
    from edge import manytraces

    paths = manytraces.found_below(traces)
    how = manytraces.Settings(separation_m, debounce_ms)
    counting = manytraces.count_all(paths, jobs or len(os.sched_getaffinity(0)), how)
    with typer.progressbar(
        counting, len(paths), "traces", hidden=not sys.stderr.isatty(), show_pos=True, file=sys.stderr
    ) as bar:
        done = {counted.path: counted for counted in bar}
    counted = [done[path] for path in paths]
    for one in counted:
        for note in (*one.notes, *([] if one.failed is None else [one.failed])):
            print(f"foyer: {note}", file=sys.stderr)
    sys.stdout.writelines(manytraces.as_json(counted) if as_json else manytraces.as_table(counted))
    if manytraces.failures(counted):
        sys.exit(1)


simulate = typer.Typer(no_args_is_help=True, help="Make recordings of people and devices that are not there.")
app.add_typer(simulate, name="simulate")


FirstSeed = Annotated[int, typer.Option(help="Below 2000 to work on; from there on to publish.")]
Jobs = Annotated[int, typer.Option(help="Processes.", min=1)]
Report = Annotated[
    Path | None, typer.Option("-o", "--output", help="A Markdown file whose tables to renew.", show_default=False)
]
"""Options of all that is measured on simulated doors."""


@simulate.command("door")
def simulate_door(
    scenario: Annotated[str | None, typer.Option(help="Who comes; --list names them.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="The same seed makes the same people.")] = 1,
    hours: Annotated[float, typer.Option(help="How long.")] = 1.0,
    trace: Annotated[
        Path | None, typer.Option("-o", "--output", help="The trace to write, by its suffix.", show_default=False)
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Where to write who really passed, as JSON.", show_default=False)
    ] = None,
    separation_m: Annotated[float, typer.Option(help="Metres between the beams.")] = 0.12,
    list_them: Annotated[bool, typer.Option("--list", help="Name the scenarios and stop.")] = False,
) -> None:
    """Write a trace of a door with simulated people, and the truth about them."""
    from simulators.door import write_door
    from simulators.people import SCENARIOS

    if list_them:
        for name, known in SCENARIOS.items():
            print(f"{name:<14} {known.about}")
        return
    if scenario is None or trace is None:
        raise ConfigError("simulate door needs --scenario NAME (--list names them) and -o TRACE")
    totals = write_door(scenario, seed, hours, separation_m, trace, truth)
    print(f"{trace}: {totals['in']} in, {totals['out']} out", file=sys.stderr)


@simulate.command("score")
def simulate_score(
    scenario: Annotated[
        list[str] | None, typer.Option(help="Who comes; may be repeated. All if not given.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many doors of each kind.", min=1)] = 10,
    first_seed: FirstSeed = 2000,
    hours: Annotated[float, typer.Option(help="How long each.")] = 2.0,
    separation_m: Annotated[
        list[float] | None,
        typer.Option(help="Metres between the beams; may be repeated. 0.08, 0.12, 0.30 and 0.60 if not given."),
    ] = None,
    unmeasured: Annotated[bool, typer.Option(help="The core is not told the separation.")] = False,
    oracle: Annotated[bool, typer.Option(help="Beside an oracle that knows the bodies; takes minutes more.")] = False,
    causes: Annotated[bool, typer.Option(help="Instead, why the core is wrong where it is.")] = False,
    jobs: Jobs = 2,
    output: Report = None,
) -> None:
    """Score the counting core on simulated people, beside three common ways to count."""
    from simulators import report, score

    tasks = score.tasks_of(
        scenario or [], separation_m or [], seeds, hours, first_seed, known=not unmeasured, oracle=oracle
    )
    if causes:
        from simulators import causes as why

        print("\n".join(why.table(tasks, report.in_processes(why.judge, tasks, jobs))))
        return
    told = list(score.table(report.in_processes(score.judge, tasks, jobs)))
    print("\n".join(told))
    if output is not None:
        report.renew(output, "the table", told, sys.argv[1:])


@simulate.command("faults")
def simulate_faults(
    case: Annotated[
        list[str] | None, typer.Option(help="What fails; may be repeated. All if not given.", show_default=False)
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many doors of each kind.", min=1)] = 10,
    first_seed: FirstSeed = 2000,
    separation_m: Annotated[
        list[float] | None, typer.Option(help="Metres between the beams; may be repeated. 0.12 and 0.60 if not given.")
    ] = None,
    jobs: Jobs = 2,
    output: Report = None,
) -> None:
    """Fail beams at simulated hubs: how soon the core says so, and how often it does where nothing is wrong."""
    from simulators import fault_score, report

    tasks = fault_score.tasks_of(case or [], separation_m or [], seeds, first_seed)
    told = list(fault_score.table(report.in_processes(fault_score.judge, tasks, jobs)))
    print("\n".join(told))
    if output is not None:
        report.renew(output, "the faults", told, sys.argv[1:])


@simulate.command("totals")
def simulate_totals(
    days_of: Annotated[
        list[str] | None,
        typer.Option(help="hub, or a scenario; may be repeated. All if not given.", show_default=False),
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many doors of each kind: a hub's for 20 days.", min=1)] = 10,
    first_seed: FirstSeed = 2000,
    separation_m: Annotated[
        list[float] | None,
        typer.Option(help="Metres between the beams; may be repeated. 0.08, 0.12, 0.30 and 0.60 if not given."),
    ] = None,
    jobs: Jobs = 2,
    output: Report = None,
) -> None:
    """Count simulated days: how far off their totals are, and how many lie within their own interval."""
    from simulators import report, total_score

    tasks = total_score.tasks_of(days_of or [], separation_m or [], seeds, first_seed)
    told = list(total_score.table(report.in_processes(total_score.judge, tasks, jobs)))
    print("\n".join(told))
    if output is not None:
        report.renew(output, "the totals", told, sys.argv[1:])


@collector_app.callback(invoke_without_command=True)
def collector(
    context: typer.Context,
    fleet: Annotated[Path | None, typer.Option(help="Folder of TOML files, one a hub.")] = None,
    mqtt: Annotated[str, typer.Option(help="The broker: mqtt://[USER[:PASSWORD]@]HOST[:PORT] or mqtts://…")] = "",
    store: Annotated[str, typer.Option(help="sqlite:PATH or influxdb+http(s)://HOST:PORT/BUCKET.")] = "",
    state: Annotated[Path | None, typer.Option(help="Folder for what the collector must remember.")] = None,
    http: Annotated[str, typer.Option(help="Where to listen for browsers: HOST:PORT.")] = "127.0.0.1:8000",
    client_id: Annotated[str, typer.Option(help="Name at the broker; by default one made up once in --state.")] = "",
    watch: Annotated[bool, typer.Option(help="Show live what other collectors of the same broker take, too.")] = True,
    roll_up: Annotated[bool, typer.Option(help="Keep the store's rollups; one collector of a store is enough.")] = True,
    log: Annotated[str, typer.Option(help="Log lines on stderr: text, or json, one object a line.")] = "text",
    receivers: Annotated[
        Path | None,
        typer.Option(help="TOML file of who gets alerts: name = [Apprise addresses]; or FOYER_RECEIVER_NAME."),
    ] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="Who signs the broker's certificate, if no public authority does.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="The collector's certificate (PEM).")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key (PEM).")] = None,
) -> None:
    """Take what the units publish into the store, and serve API and pages until SIGTERM or Ctrl-C.

    Needs --fleet, --mqtt, --store and --state, unless one of the commands below is given, which has options of its own.
    """
    if context.invoked_subcommand is not None:
        return
    if fleet is None or state is None or not mqtt or not store:
        raise ConfigError("collector needs --fleet, --mqtt, --store and --state; see foyer collector --help")
    from collector.alerts.receivers import receivers as receivers_of
    from collector.serve import listening, log_to_stderr, serve
    from collector.service import Collector
    from dashboards.app import create_app
    from firmware_cfg.endpoint import TlsFiles, parse_host_port, parse_mqtt_url
    from firmware_cfg.load import load_fleet

    log_to_stderr(log)
    address = parse_host_port(http)
    known, endpoint = load_fleet(fleet), parse_mqtt_url(mqtt, TlsFiles(tls_ca, tls_cert, tls_key))
    told = receivers_of(known, receivers, os.environ)
    with listening(*address) as socket:
        name = client_id or None
        service = Collector(known, endpoint, store, state, client_id=name, watch=watch, roll_up=roll_up, receivers=told)
        serve(service, create_app(service), socket)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Where the pages are, on 127.0.0.1.", min=1, max=65535)] = 8000,
    hubs: Annotated[int, typer.Option(help="How many hubs; beyond six, copies.")] = 6,
    speed: Annotated[float, typer.Option(help="How much faster than the clock on the wall.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed makes the same people.")] = 1,
    live_s: Annotated[
        float | None, typer.Option("--for", help="End after so many seconds.", show_default=False)
    ] = None,
    folder: Annotated[Path, typer.Option("--state", help="Where its databases are kept.")] = Path(".foyer-demo"),
) -> None:
    """Simulated hubs on the real agent, collector and pages; ends with one line of JSON that says what got lost."""
    from simulators.demo import DemoOptions, run

    outcome = run(DemoOptions(port, hubs, speed, seed, live_s, folder))
    print(json.dumps(outcome))
    if outcome["lost"] or outcome["duplicates"]:
        sys.exit(1)
