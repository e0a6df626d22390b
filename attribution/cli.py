"""The command line: read, call, write."""

import argparse
import signal
import sys
from pathlib import Path


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(2, f"attribution: {message}. See {self.prog} --help\n")


def main(argv: list[str] | None = None) -> int:
    """Run a command.

    Returns the exit status: 0, 1 where a report could not be made, 2 where the input is bad, 130 after Ctrl-C.
    """
    from attribution.report import ReportError
    arguments = build_parser().parse_args(argv)
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        arguments.command(arguments)
        return 0
    except (ReportError, ValueError, OSError) as error:
        words = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
        print("attribution:", " ".join(words.split()), file=sys.stderr)
        return 1 if isinstance(error, ReportError) else 2
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(number: int, frame) -> None:
    sys.exit(128 + number)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of every command.

    >>> build_parser().parse_args(["report", "campaign-roi", "--month", "2026-10"]).data
    'data/sample'
    """
    from attribution import __version__
    parser = _Parser(prog="attribution", description="Attribution and campaign-ROI reports from CRM exports.")
    parser.add_argument("--version", action="version", version=f"attribution {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_report(commands.add_parser("report", help="make a month's report"))
    _add_agreement(commands.add_parser("agreement", help="write down what the company's words mean"))
    _add_explain(commands.add_parser("explain", help="say, touch by touch, where a deal's credit went and why"))
    _add_simulate(commands.add_parser("simulate", help="make up a company's CRM export"))
    return parser


def _add_report(parser: argparse.ArgumentParser) -> None:
    campaign_roi = parser.add_subparsers(required=True, metavar="REPORT").add_parser(
        "campaign-roi", help="what each campaign cost and what it earned")
    _add_choices(campaign_roi)
    campaign_roi.add_argument("--on-orphan", choices=["raise", "leave_out"],
                              help="campaigns whose parent is not in the export: an error, or left out of the tree")
    campaign_roi.add_argument("--out", default="reports", help="where the month's folder goes (reports)")
    campaign_roi.set_defaults(command=_report)


def _add_agreement(parser: argparse.ArgumentParser) -> None:
    init = parser.add_subparsers(required=True, metavar="ACTION").add_parser(
        "init", help="draft agreement.toml from an export")
    init.add_argument("--data", default="data/sample", help="the export: a folder or a ZIP (data/sample)")
    init.add_argument("--out", help="the file to write (agreement.toml beside the data)")
    init.set_defaults(command=_agreement_init)


def _add_explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("opportunity_id", metavar="OPPORTUNITY_ID")
    _add_choices(parser)
    parser.set_defaults(command=_explain)


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, help="the folder to write")
    parser.add_argument("--seed", type=int, required=True, help="the same seed makes the same company")
    parser.add_argument("--accounts", type=int, default=600, help="how many companies (600)")
    parser.add_argument("--people", type=int, default=4000, help="how many people (4000)")
    parser.set_defaults(command=_simulate)


def _add_choices(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--month", required=True, help="such as 2026-10")
    parser.add_argument("--data", default="data/sample", help="the export: a folder or a ZIP (data/sample)")
    parser.add_argument("--model", help="how credit is shared, such as linear or time_decay")
    parser.add_argument("--half-life-days", type=float, help="for time_decay")
    parser.add_argument("--lookback-days", type=_days, help="older touches do not count; none: no limit (365)")
    parser.add_argument("--linking", help="role, account or hybrid")


def _days(text: str) -> int | str:
    if text.lower() != "none" and not text.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number of days nor none")
    return "none" if text.lower() == "none" else int(text)


def _choices(arguments: argparse.Namespace) -> dict:
    """Check what was chosen, before anything slow begins, and return what was given."""
    from attribution.agreement import month_days
    from attribution.funnel import check_linking
    from attribution.roi import choose_model
    names = ("month", "model", "half_life_days", "lookback_days", "linking", "on_orphan")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name, None) is not None}
    month_days(given["month"])
    choose_model(given.get("model", "linear"), given.get("half_life_days") or 30)
    check_linking(given.get("linking", "hybrid"))
    for name in ("half_life_days", "lookback_days"):
        if given.get(name) != "none" and not 0 < given.get(name, 1) < float("inf"):
            raise ValueError(f"{name}: {given[name]:g} is not a positive number")
    return {name: None if value == "none" else value for name, value in given.items()}


def _report(arguments: argparse.Namespace) -> None:
    given = _choices(arguments)
    from attribution.report import run_report
    from attribution.sources import find_folder
    notebook = find_folder("notebooks/campaign_roi.ipynb")
    month = run_report(notebook, {"data_dir": arguments.data} | given, arguments.out, progress=True)
    print(month / "campaign_roi.html")


def _agreement_init(arguments: argparse.Namespace) -> None:
    from attribution.agreement import Agreement, draft_agreement
    from attribution.sources import list_currencies, read_crm, read_export
    path = Path(arguments.out or _agreement_path(arguments.data))
    if path.exists():
        raise ValueError(f"{path}: there is one already. Name another file with --out")
    currencies = list_currencies(read_export(arguments.data))
    unset = Agreement(rates=dict.fromkeys(currencies[1:], 1.0), currency=next(iter(currencies), None))
    path.write_text(draft_agreement(read_crm(arguments.data, unset), currencies), encoding="utf-8")
    print(path)


def _agreement_path(data: str) -> Path:
    from attribution.agreement import find_beside
    from attribution.sources import find_folder
    return find_beside(find_folder(data), "agreement.toml")


def _explain(arguments: argparse.Namespace) -> None:
    given = _choices(arguments)
    from attribution.credit import explain
    from attribution.journeys import build_journeys
    from attribution.roi import choose_model
    crm, agreement = _read_month(arguments.data, given["month"])
    linking, lookback_days = given.get("linking", "hybrid"), given.get("lookback_days", 365)
    deal = _find_deal(crm, agreement, arguments.opportunity_id, linking)
    journeys = build_journeys(crm.touches, deal, crm.contact_roles, linking=linking, lookback_days=lookback_days,
                              time_zone=agreement.time_zone)
    model = choose_model(given.get("model", "linear"), given.get("half_life_days", 30))
    table = explain(journeys, deal["conversion_id"].item(), model)
    names = crm.campaigns.set_index("campaign_id")["campaign_name"]
    local = table["touched_at"].dt.tz_convert(agreement.time_zone).dt.tz_localize(None)
    shown = table.assign(campaign_name=table["campaign_id"].map(names), touched_at=local)
    print(shown.to_string(index=False, na_rep=""))


def _read_month(data: str, month: str):
    from attribution.agreement import read_agreement
    from attribution.sources import find_folder, read_crm
    agreement = read_agreement(find_folder(data))
    return read_crm(data, agreement, agreement.month_end(month)), agreement


def _find_deal(crm, agreement, opportunity_id: str, linking: str):
    """Find a won deal by its id, of 15 or 18 characters."""
    from attribution.funnel import build_conversions, build_entries
    entries = build_entries(crm, agreement)
    conversions = build_conversions(entries, crm.opportunities, crm.contact_roles, stage=agreement.won_stage,
                                    linking=linking)
    deal = conversions[conversions["conversion_id"].str[:15] == opportunity_id[:15]]
    if deal.empty:
        raise ValueError(f"{opportunity_id}: is no deal won by {crm.as_of.tz_convert(agreement.time_zone):%Y-%m-%d}")
    return deal


def _simulate(arguments: argparse.Namespace) -> None:
    from attribution.simulate import write_company
    write_company(arguments.out, seed=arguments.seed, n_accounts=arguments.accounts, n_people=arguments.people)
    print(arguments.out)
