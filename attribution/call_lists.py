"""Whom to call: the leads that nobody has contacted, a file for each owner, published whole or not at all."""

from pathlib import Path

import pandas as pd

from attribution.agreement import Agreement
from attribution.entries import build_entries
from attribution.months import known_until
from attribution.promises import find_promise
from attribution.report import add_digest, replacing
from attribution.sentences import count
from attribution.sla import build_responses, knows_activities, list_attempts, list_limbo
from attribution.tables import CRM, look_up
from attribution.workbook import LOOKS_LIKE_A_FORMULA, write_workbook
from attribution.worth import stage_values

NO_OWNER = "no_owner"
#: The columns of a list: what a reader calls them, and the workbook's format.
COLUMNS = {"owner_id": ("Owner", "text"), "person_id": ("Person", "text"), "account_id": ("Account", "text"),
           "handed_over_at": ("Handed over", "moment"), "due_at": ("Contact was due", "moment"),
           "overdue_days": ("Days overdue", "number"), "value": ("Value of the stage", "money")}


def find_limbo(crm: CRM, agreement: Agreement) -> pd.DataFrame:
    """Find the leads that were handed over and that nobody has tried to reach, at as_of or as far as the export goes.

    Returns list_limbo's table, one row per lead, for the first promise by sales.
    Raises ValueError when the export does not reach into the day of as_of, or has no activities, or the agreement has
    no promise by sales.
    """
    promise, as_of = find_promise(agreement, "sales"), known_until(crm)
    day, last = agreement.local_day(crm.as_of), agreement.local_day(crm.exported_at)
    if day > last or crm.people.empty:
        known = f"the export's last edit is of {last:%Y-%m-%d}" if day > last else "nobody was in the CRM yet"
        raise ValueError(f"as_of: {day:%Y-%m-%d} has no data; {known}")
    if not knows_activities(crm):
        raise ValueError("limbo: the export has no calls, e-mails or meetings, so nobody can be said to wait. Export "
                         "the tasks and events as well")
    entries, attempts = build_entries(crm, agreement), list_attempts(crm.activities, crm.owners)
    responses = build_responses(entries, attempts, crm.owners, agreement, promise, as_of=as_of)
    values = stage_values(entries, crm.opportunities, agreement=agreement, as_of=as_of)
    return list_limbo(responses, crm.people, values)


def write_call_lists(calls: pd.DataFrame, out: str | Path, *, day: pd.Timestamp, time_zone: str = "UTC") -> Path:
    """Write the calls of each owner as CSV and as a workbook, in a folder for the day.

    Returns the folder, `out`/2026-10-31: two files per owner (name_files), for the eyes of the user alone. Moments are
    in the time zone; text that a spreadsheet would take for a formula is quoted.
    Raises ValueError when there is such a folder, which may hold notes of sales, or a file in its place.
    """
    folder = Path(out, f"{day:%Y-%m-%d}")
    if folder.is_dir():
        raise ValueError(f"{folder}: there is one already, perhaps with notes in it. Move it away, or name another "
                         "folder with --out")
    local = calls[list(COLUMNS)].round({"overdue_days": 2}).assign(**{
        column: calls[column].dt.floor("s").dt.tz_convert(time_zone) for column in ("handed_over_at", "due_at")})
    with replacing(folder) as draft:
        draft.chmod(0o700)
        for name, rows in local.groupby(name_files(calls["owner_id"])):
            _write_csv(rows, draft / f"{name}.csv")
            write_workbook([_sheet(rows, f"To contact on {day:%Y-%m-%d}: {name}")], draft / f"{name}.xlsx")
        for file in draft.iterdir():
            file.chmod(0o600)
    return folder


def name_files(owner_ids: pd.Series) -> pd.Series:
    """Name a file for each owner: the id itself where that is safe, no_owner where there is none.

    An id with other characters than A-Z, a-z, 0-9, _ and -, or more than 40, or equal to another's but for capitals,
    gets a digest.

    >>> name_files(pd.Series(["005A", "../etc", None], dtype="str")).tolist()
    ['005A', 'etc-f7f9121f', 'no_owner']
    """
    ids = owner_ids.dropna().drop_duplicates().reset_index(drop=True)
    folded = ids.str.lower()
    is_safe = ids.str.fullmatch("[A-Za-z0-9_-]{1,40}") & ~folded.duplicated(keep=False) & (folded != NO_OWNER)
    digested = pd.Series([add_digest(each) for each in ids], dtype="str")
    return look_up(owner_ids, ids.where(is_safe, digested).set_axis(ids)).fillna(NO_OWNER)


def _write_csv(rows: pd.DataFrame, path: Path) -> None:
    quoted = {column: rows[column].where(~rows[column].str.startswith(LOOKS_LIKE_A_FORMULA, na=False),
                                         "'" + rows[column])
              for column in COLUMNS if column.endswith("_id")}
    rows.assign(**quoted).to_csv(path, index=False, lineterminator="\n", encoding="utf-8")


def _sheet(rows: pd.DataFrame, title: str) -> dict:
    local = rows.assign(**{column: rows[column].dt.strftime("%Y-%m-%dT%H:%M:%S")
                           for column in ("handed_over_at", "due_at")})
    cells = local.astype(object).where(local.notna(), None)
    columns = [{"name": name, "label": label, "format": form} for name, (label, form) in COLUMNS.items()]
    return {"sheet": "call list", "title": title, "columns": columns, "rows": cells.to_numpy().tolist()}


def say_calls(calls: pd.DataFrame, dropped: pd.DataFrame) -> str:
    """Say how many leads are to be contacted, and how many were left out and why (count_dropped).

    >>> calls = pd.DataFrame({"owner_id": ["005A", "005A", "005B"]})
    >>> say_calls(calls, pd.DataFrame({"reason": ["opted out of e-mail", "not to be called"], "n": [3, 1]}))
    '3 leads of 2 owners; 4 may not be contacted and were left out (3 opted out of e-mail, 1 not to be called)'
    """
    reasons = ", ".join(f"{n:,} {reason}" for reason, n in zip(dropped["reason"], dropped["n"], strict=True))
    leads, owners = count(len(calls), "lead"), count(calls["owner_id"].nunique(dropna=False), "owner")
    return f"{leads} of {owners}; {dropped['n'].sum():,} may not be contacted and were left out ({reasons})"
