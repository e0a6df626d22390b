"""Reports of before for the tests: touches one can share on paper, and tables as a published notebook keeps them."""

import json

import pandas as pd

from attribution.published import read_table
from attribution.restated import TOUCHES, Previous
from attribution.showing import TABLE_MIME, show_table

HELSINKI = "Europe/Helsinki"
END = pd.Timestamp("2026-09-30 20:59:59.999999", tz="UTC")           # of September in Helsinki


def as_read(table, time_zone=HELSINKI):
    """Publish a table as a notebook does, and read it back."""
    cells = show_table(table, "sheet", "Title", time_zone=time_zone)._repr_mimebundle_()[TABLE_MIME]
    return read_table(json.loads(json.dumps(cells)))


def previous(month="2026-09", known_until=END, definitions=None, **tables):
    return Previous(month, known_until, {sheet: as_read(table) for sheet, table in tables.items()}, definitions or {})


def deal(name, value, closed_on, *touches, account="acme"):
    """Give a won deal with its touches: (touch, campaign, day) or (..., day of the last edit)."""
    return {"name": name, "value": value, "closed_on": closed_on, "account": account, "touches": touches}


def touches_of(*deals):
    """List the touches of deals as list_touches does, shared linearly: what is left over goes to the earlier."""
    rows = [row for each in deals for row in _rows_of(each)]
    table = pd.DataFrame(rows, columns=[column for column in TOUCHES if column != "path"])
    moments = ["converted_at", "touched_at", "joined_at", "modified_at"]
    texts = ["conversion_id", "account_id", "touch_id", "campaign_id"]
    table = table.assign(**{column: pd.to_datetime(table[column], utc=True).astype("datetime64[us, UTC]")
                            for column in moments}, path="(left out of the tree)")
    return table.astype(dict.fromkeys([*texts, "path"], "str") | dict.fromkeys(["value", "weight", "credit"], float))


def _rows_of(each):
    cents, n = round(each["value"] * 100), max(len(each["touches"]), 1)
    for at, (touch, campaign, day, *edited) in enumerate(each["touches"] or [(None, None, None)]):
        credit = (cents // n + (at < cents % n)) / 100
        yield {"conversion_id": each["name"], "account_id": each["account"], "value": each["value"],
               "converted_at": f"{each['closed_on']}T20:59:59.999999Z", "touch_id": touch, "campaign_id": campaign,
               "touched_at": day and f"{day}T09:00:00Z", "joined_at": day and f"{day}T09:00:00Z",
               "modified_at": day and f"{(edited or [day])[0]}T09:00:00Z", "weight": 1 / n, "credit": credit}
