"""The command line: read, call, write."""

import argparse
import signal
import sys
import unicodedata
from datetime import datetime
from pathlib import Path

#: Each report, named as its notebook is, and the options that it has of its own.
REPORTS = {
    "campaign-roi": ("model", "half_life_days", "lookback_days", "linking", "on_orphan", "stage", "previous",
                     "language"),
    "sla-conversion": ("period", "segment_by", "owner", "previous", "language"),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"attribution: {message}. See {self.prog} --help\n")


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Returns the exit status: 0, 1 where a report could not be made or is not what it was, 2 where the input is bad, 130
    after Ctrl-C.
    """
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        return _run(argv)
    except KeyboardInterrupt as stopped:
        _complain("stopped; what was published before is as it was")
        return stopped.args[0] if stopped.args else 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame) -> None:
    raise KeyboardInterrupt(128 + number)


def _run(argv: list[str] | None) -> int:
    from attribution.rendering import RenderError
    from attribution.running import ReportError
    arguments = build_parser().parse_args(argv)
    try:
        return arguments.command(arguments) or 0
    except (RenderError, ReportError, ValueError, OSError) as error:
        _complain(_in_words(error))
        return 1 if isinstance(error, RenderError | ReportError) else 2


def _in_words(error: Exception) -> str:
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)


def _complain(words: str) -> None:
    print("attribution:", _printable(" ".join(words.split())), file=sys.stderr)


def _printable(text: str) -> str:
    """Take out of a text what a terminal would obey rather than show: names come from a CRM."""
    return "".join("\ufffd" if unicodedata.category(each) in ("Cc", "Cf") and each != "\n" else each for each in text)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of every command.

    >>> build_parser().parse_args(["report", "campaign-roi", "--month", "2026-10"]).data
    'data/sample'
    """
    from attribution import __version__
    parser = _Parser(prog="attribution", description="Attribution, campaign-ROI and SLA reports from CRM exports.")
    parser.add_argument("--version", action="version", version=f"attribution {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_reports(commands.add_parser("report", help="make a month's report, or all of them"))
    _add_verify(commands.add_parser("verify", help="make a month's reports again, and say whether they are the same"))
    _add_render(commands.add_parser("render", help="print a month's reports as PDF, their figures as PNG for slides"))
    _add_agreement(commands.add_parser("agreement", help="write down what the company's words mean"))
    _add_explain(commands.add_parser("explain", help="say, touch by touch, where a deal's credit went and why"))
    _add_limbo(commands.add_parser("limbo", help="list, for each owner, the leads that nobody has contacted"))
    _add_simulate(commands.add_parser("simulate", help="make up a company's CRM export"))
    return parser


def _add_reports(parser: argparse.ArgumentParser) -> None:
    from attribution.language import LANGUAGES
    reports = parser.add_subparsers(required=True, metavar="REPORT")
    campaign_roi = reports.add_parser("campaign-roi", help="what each campaign cost and what it earned")
    sla_conversion = reports.add_parser("sla-conversion", help="what was promised, what was kept, who converted")
    every = reports.add_parser("all", help="every report, published together or not at all")
    for report, names in ((campaign_roi, ["campaign-roi"]), (sla_conversion, ["sla-conversion"]), (every, REPORTS)):
        _add_month(report)
        report.add_argument("--out", default="reports", help="where the month's folder goes (reports)")
        report.add_argument("--previous", metavar="FOLDER", help="a month's folder made before, to say what changed "
                            "since, such as reports/2026-09")
        report.add_argument("--language", choices=list(LANGUAGES), help="what the reports are written in (en)")
        report.add_argument("--no-copy", action="store_true",
                            help="keep no copy of the inputs beside the reports, only digests of their rows")
        _add_timeout(report)
        report.set_defaults(command=_report, reports=tuple(names))
    for report in (campaign_roi, every):
        _add_campaign_roi(report)
    for report in (sla_conversion, every):
        _add_sla_conversion(report)


def _add_campaign_roi(parser: argparse.ArgumentParser) -> None:
    _add_credit(parser)
    parser.add_argument("--on-orphan", choices=["raise", "leave_out"],
                        help="campaigns whose parent is not in the export: an error, or left out of the tree")
    parser.add_argument("--stage", help="the stage that credit is shared for, such as mql (the won one)")


def _add_sla_conversion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--period", help="what to report, up to the month's end: month, quarter or year (quarter)")
    parser.add_argument("--segment-by", help="what to part conversion by, such as country or channel (industry)")
    parser.add_argument("--owner", help="one owner's id, or a team (everybody)")


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("month", metavar="FOLDER", help="a month's folder, such as reports/2026-10")
    parser.add_argument("--from-copy", action="store_true", help="from the kept copies of the inputs, not from those "
                        "where they lie now")
    _add_timeout(parser)
    parser.set_defaults(command=_verify)


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--timeout", type=_seconds, default=1800, metavar="SECONDS",
                        help="how long one cell of a notebook may take (1800)")


def _add_render(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", metavar="FOLDER", help="a month's folder, such as reports/2026-10")
    parser.add_argument("--pdf", action="store_true", help="the pages only")
    parser.add_argument("--png", action="store_true", help="the figures only")
    parser.set_defaults(command=_render)


def _add_agreement(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    init = actions.add_parser("init", help="draft agreement.toml from an export")
    _add_data(init)
    init.add_argument("--out", help="the file to write (agreement.toml beside the data)")
    init.set_defaults(command=_agreement_init)
    check = actions.add_parser("check", help="hold agreement.toml against an export")
    _add_data(check)
    check.set_defaults(command=_agreement_check)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("opportunity_id", metavar="OPPORTUNITY_ID")
    _add_month(parser)
    _add_credit(parser)
    parser.set_defaults(command=_explain)


def _add_limbo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--as-of", type=_day, required=True, help="the end of a day, such as 2026-10-31")
    _add_data(parser)
    parser.add_argument("--out", default="limbo", help="where the day's folder goes (limbo)")
    parser.set_defaults(command=_limbo)


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, help="the folder to write")
    parser.add_argument("--seed", type=int, required=True, help="the same seed makes the same company")
    parser.add_argument("--accounts", type=int, default=600, help="how many companies (600)")
    parser.add_argument("--people", type=int, default=4000, help="how many people (4000)")
    parser.set_defaults(command=_simulate)


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", default="data/sample", help="the export: a folder or a ZIP (data/sample)")


def _add_month(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--month", required=True, help="such as 2026-10")
    _add_data(parser)


def _add_credit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="how credit is shared, such as linear or time_decay (explain: or markov)")
    parser.add_argument("--half-life-days", type=float, help="for time_decay")
    parser.add_argument("--lookback-days", type=_days, help="older touches do not count; none: no limit (365)")
    parser.add_argument("--linking", help="role, account or hybrid")


def _days(text: str) -> int | str:
    if text.lower() != "none" and not text.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number of days nor none")
    return "none" if text.lower() == "none" else int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to a million")
    return seconds


def _day(text: str) -> datetime:
    try:
        day = datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day like 2026-10-31") from None
    if not 1900 <= day.year <= 2200:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1900 and 2200")
    return day


def _given(arguments: argparse.Namespace, is_report: bool = True) -> dict:
    """Check what was chosen, before anything slow begins, and return what was given."""
    names = [name for names in REPORTS.values() for name in names]
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name, None) is not None}
    _check_sla(given, arguments.month)
    _check_credit(given if is_report or given.get("model") != "markov" else given | {"model": "linear"})
    _check_stage(given, arguments.data)
    return given | {"lookback_days": None} if given.get("lookback_days") == "none" else given


def _check_credit(given: dict) -> None:
    from attribution.funnel import check_linking
    from attribution.roi import choose_model
    choose_model(given.get("model", "linear"), given.get("half_life_days") or 30)
    check_linking(given.get("linking", "hybrid"))
    for name in ("half_life_days", "lookback_days"):
        if given.get(name) != "none" and not 0 < given.get(name, 1) <= 100_000:
            raise ValueError(f"{name}: {given[name]:g} is not a positive number up to 100,000")


def _check_stage(given: dict, data: str) -> None:
    if "stage" in given:
        _read_agreement(data).find_stage(given["stage"])


def _check_previous(notebook: Path, own: dict) -> None:
    from attribution.published import find_published
    from attribution.report import name_report
    if "previous" in own:
        find_published(own["previous"], name_report(notebook, own))


def _check_sla(given: dict, month: str) -> None:
    from attribution.agreement import Agreement
    from attribution.segments import check_segments
    Agreement().period_days(given.get("period", "month"), month)
    if "segment_by" in given:
        check_segments(given["segment_by"])


def _report(arguments: argparse.Namespace) -> None:
    given = _given(arguments)
    from attribution.report import name_report, run_reports
    from attribution.sources import find_folder
    runs = {}
    for report in arguments.reports:
        notebook = find_folder(f"notebooks/{report.replace('-', '_')}.ipynb")
        own = {name: given[name] for name in REPORTS[report] if name in given}
        runs[notebook] = {"data_dir": arguments.data, "month": arguments.month} | own
        _check_previous(notebook, own)
    month = run_reports(runs, arguments.out, progress=True, is_copied=not arguments.no_copy,
                        timeout_seconds=arguments.timeout)
    for notebook, parameters in runs.items():
        print(month / f"{name_report(notebook, parameters)}.html")


def _verify(arguments: argparse.Namespace) -> int:
    from attribution.report import read_manifest
    from attribution.sources import find_folder
    from attribution.verify import say_differences, verify_month
    found = verify_month(arguments.month, from_copy=arguments.from_copy, progress=True,
                         timeout_seconds=arguments.timeout)
    print(_printable("\n".join(say_differences(found, read_manifest(find_folder(arguments.month))))))
    return int(len(found) > 0)


def _render(arguments: argparse.Namespace) -> None:
    from attribution.rendering import render_reports
    both = arguments.pdf == arguments.png
    print(*render_reports(arguments.folder, pdf=arguments.pdf or both, png=arguments.png or both), sep="\n")


def _agreement_init(arguments: argparse.Namespace) -> None:
    from attribution.agreement import Agreement
    from attribution.drafting import draft_agreement
    from attribution.sources import list_currencies, read_crm, read_export
    path = Path(arguments.out or _agreement_path(arguments.data))
    if path.exists():
        raise ValueError(f"{path}: there is one already. Name another file with --out")
    currencies = list_currencies(read_export(arguments.data))
    unset = Agreement(rates=dict.fromkeys(currencies[1:], 1.0), currency=next(iter(currencies), None))
    path.write_text(draft_agreement(read_crm(arguments.data, unset), currencies), encoding="utf-8")
    print(path)


def _agreement_check(arguments: argparse.Namespace) -> None:
    from attribution.drafting import check_agreement
    from attribution.sentences import count
    agreement = _read_agreement(arguments.data)
    crm = _read_crm(arguments.data, agreement)
    lacking = crm.missing[~crm.missing["source"].str.startswith("agreement.toml")]      # the findings say those
    lines = [*_lines(check_agreement(crm, agreement)), *_lines(lacking)]
    said = f"{count(len(agreement.stages), 'stage')}, {count(len(agreement.promises), 'promise')}"
    print(_printable("\n".join([*lines, f"agreement.toml: {said}; {count(len(lines), 'thing')} to look at"])))


def _lines(table) -> list[str]:
    return [f"{what}: {said}" for what, said in table.itertuples(index=False)]


def _agreement_path(data: str) -> Path:
    from attribution.agreement_file import find_beside
    from attribution.sources import find_folder
    return find_beside(find_folder(data), "agreement.toml")


def _explain(arguments: argparse.Namespace) -> None:
    given = _given(arguments, is_report=False)
    from attribution.credit import explain
    from attribution.entries import build_entries
    from attribution.funnel import build_conversions
    from attribution.journeys import build_journeys
    from attribution.roi import choose_model
    agreement = _read_agreement(arguments.data)
    crm = _read_crm(arguments.data, agreement, agreement.month_end(arguments.month))
    linking, lookback_days = given.get("linking", "hybrid"), given.get("lookback_days", 365)
    how = {"linking": linking, "lookback_days": lookback_days, "time_zone": agreement.time_zone}
    entries = build_entries(crm, agreement)
    won = build_conversions(entries, crm.opportunities, crm.contact_roles, stage=agreement.won_stage, linking=linking)
    deal = _find_deal(won, arguments.opportunity_id, agreement.local_day(crm.as_of))
    journeys = build_journeys(crm.touches, deal, crm.contact_roles, **how)
    if given.get("model") == "markov":
        table = _show_effects(crm, entries, won, journeys, how)
    else:
        model = choose_model(given.get("model", "linear"), given.get("half_life_days", 30))
        table = explain(journeys, deal["conversion_id"].item(), model)
    names = crm.campaigns.set_index("campaign_id")["campaign_name"]
    local = table["touched_at"].dt.tz_convert(agreement.time_zone).dt.tz_localize(None)
    shown = table.assign(campaign_name=table["campaign_id"].map(names), touched_at=local)
    print(_printable(shown.to_string(index=False, na_rep="")))


def _show_effects(crm, entries, won, journeys, how: dict):
    """Show the removal effects of what the deal met: the chain gives no deal's money to anybody."""
    from attribution.funnel import build_pipeline
    from attribution.path_models import explain_effects, markov
    from attribution.paths import build_paths
    pipeline = build_pipeline(entries, crm.opportunities, crm.contact_roles, as_of=crm.as_of,
                              time_zone=how["time_zone"], linking=how["linking"])
    paths = build_paths(crm.touches, won, crm.contact_roles, as_of=crm.as_of, pipeline=pipeline, **how)
    return explain_effects(journeys, journeys["conversion_id"].iloc[0], markov(paths))


def _read_agreement(data: str):
    from attribution.agreement_file import read_agreement
    from attribution.sources import find_folder
    return read_agreement(find_folder(data))


def _read_crm(data: str, agreement, as_of=None):
    from attribution.sources import read_crm
    return read_crm(data, agreement, as_of)


def _find_deal(won, opportunity_id: str, day: datetime):
    """Find a won deal by its id, of 15 or 18 characters."""
    deal = won[won["conversion_id"].str[:15] == opportunity_id[:15]]
    if deal.empty:
        raise ValueError(f"{opportunity_id}: is no deal won by {day:%Y-%m-%d}")
    return deal


def _limbo(arguments: argparse.Namespace) -> None:
    import pandas as pd

    from attribution.call_lists import find_limbo, say_calls, write_call_lists
    from attribution.sla import call_list, count_dropped
    day, agreement = pd.Timestamp(arguments.as_of), _read_agreement(arguments.data)
    crm = _read_crm(arguments.data, agreement, agreement.end_of(pd.Series([day]))[0])
    limbo = find_limbo(crm, agreement)
    calls = call_list(limbo)
    print(write_call_lists(calls, arguments.out, day=day, time_zone=agreement.time_zone))
    print(say_calls(calls, count_dropped(limbo)))


def _simulate(arguments: argparse.Namespace) -> None:
    from attribution.simulate import write_company
    write_company(arguments.out, seed=arguments.seed, n_accounts=arguments.accounts, n_people=arguments.people)
    print(arguments.out)
