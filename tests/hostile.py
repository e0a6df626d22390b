"""A made-up company in whose CRM every name, label and status is an attack on whoever shows it."""

import csv
import json
from pathlib import Path

from attribution.simulate import write_company

ATTACKS = (
    "<script>window.pwned=1</script>", "<img src=x onerror=\"window.pwned=1\">", "\"><svg onload=window.pwned=1>",
    "javascript:window.pwned=1", "=HYPERLINK(\"https://example.com/?leak\",\"open\")", "[x](javascript:window.pwned=1)",
    "$a$ $$\\frac{b}{c}$$", "\u202egnp.exe\u202c", "\x1b[31mred\x1b[0m", "long " + "x" * 495, "{{7*7}} {% raw %}",
    "%{x} %{customdata.constructor}", "</script><script>window.pwned=1</script>", "&lt;b&gt; &amp; <b>bold</b>",
    "@import 'https://example.com/x.css'; url(https://example.com/y.png)", "' onmouseover='window.pwned=1",
    "+1+cmd|' /C calc'!A0", "white", "constructor", "__proto__")

NAMES = {"Account": ["Name", "Industry", "BillingCountry"], "Campaign": ["Name", "Type"],
         "CampaignMember": ["Status"], "CampaignMemberStatus": ["Label"], "Contact": ["FirstName", "LastName", "Title"],
         "Lead": ["FirstName", "LastName", "Title", "Company", "Country", "LeadSource", "Industry"],
         "Opportunity": ["Name", "LeadSource"], "User": ["FirstName", "LastName", "Department"]}

#: Those that the agreement names as well.
STAGES = {"Lead": ["Status"], "LeadHistory": ["OldValue", "NewValue"], "Opportunity": ["StageName"],
          "OpportunityHistory": ["StageName", "FromOpportunityStageName"]}


def write_hostile_company(folder: Path) -> Path:
    """Write a small company's export in which each different name is an attack of its own, the same wherever it stands.

    Returns the folder.
    """
    write_company(folder, seed=3, n_accounts=60, n_people=400, dialect="bulk", truth=False)
    agreement = folder / "agreement.toml"
    said = agreement.read_text(encoding="utf-8").replace("Harmaja Controls Oy", "<i>&\u202e{{7*7}}</i>")
    taken, stages = {}, {}
    for table in sorted(NAMES.keys() | STAGES.keys()):
        _rewrite(folder / f"{table}.csv", NAMES.get(table, ()), taken)
        _rewrite(folder / f"{table}.csv", STAGES.get(table, ()), stages)
    for name, attack in stages.items():
        said = said.replace(json.dumps(name), json.dumps(attack))
    agreement.write_text(said, encoding="utf-8")
    return folder


def _rewrite(path: Path, columns: list[str], taken: dict[str, str]) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for column in columns:
            if row[column] and row.get("Field", "Status") == "Status":
                row[column] = taken.setdefault(row[column], f"{ATTACKS[len(taken) % len(ATTACKS)]} {len(taken)}")
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
