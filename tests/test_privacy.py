"""No person of the sample, and no address of theirs, is in any file of its reports."""

import csv
import re
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def people_of_the_sample():
    """Give every full name, either way round, and every address in the sample's export."""
    said = set()
    for name in ("Lead", "Contact", "User"):
        with open(ROOT / "data" / "sample" / f"{name}.csv", encoding="latin-1", newline="") as file:
            for row in csv.DictReader(file):
                said |= {f"{row['FirstName']} {row['LastName']}", f"{row['LastName']} {row['FirstName']}", row["Email"],
                         row["Email"].partition("@")[0], row.get("Username", "")}
    return {each for each in said if len(each.strip()) > 3}


def texts_of(path):
    """Give a file's texts: its own, or those of what is packed in it."""
    if not zipfile.is_zipfile(path):
        return [path.read_text(encoding="utf-8")]
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name).decode("utf-8") for name in archive.namelist()]


def found_in(text, wanted):
    tokens = re.findall(r"[\w@+-]+(?:\.[\w@+-]+)*", text)
    return wanted & ({*tokens} | {f"{a} {b}" for a, b in zip(tokens, tokens[1:], strict=False)})


@pytest.fixture(scope="module")
def people():
    people = people_of_the_sample()
    assert len(people) > 10_000
    assert all(found_in(text, people) for text in ("<ida.peltola.7@example.com>", "by Ida Peltola.", '"Peltola, Ida"'))
    return people


def test_reports_name_no_person(sample_report, people):
    files = [path for path in sample_report.iterdir() if path.is_file()]
    assert len(files) == 7
    found = [(path.name, each) for path in files for text in texts_of(path) for each in found_in(text, people)]
    assert found == []


def test_addresses_of_any_kind_are_absent(sample_report):
    texts = [text for path in sample_report.iterdir() if path.suffix in (".ipynb", ".xlsx", ".json")
             for text in texts_of(path)]
    assert texts and not [found for text in texts for found in re.findall(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", text)]


def test_the_kept_inputs_are_for_the_user_alone(sample_report):
    private = sample_report / "private"
    assert private.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in private.iterdir()} == {0o600}
