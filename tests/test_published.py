"""A published report is read back, or refused in one line that says what to do."""

import json

import pandas as pd
import pytest
from notebook_cases import write_notebook

from attribution.inputs import ROOT, hash_file
from attribution.published import DEFINING, find_published, read_definitions, read_previous, read_table
from attribution.report import run_report
from attribution.running import read_parameters

SHOW = """\
import pandas as pd
from attribution.showing import show_table
made = pd.DataFrame({"deal_id": ["d1", None], "won_at": pd.to_datetime(["2026-09-30T20:59:59Z", None]), "n": [1, 2],
                     "is_new": [True, False], "credit": [12.5, None]})
show_table(made, "deals", "Deals", time_zone="Europe/Helsinki")"""
KNOWN = """\
rows = pd.DataFrame({"item": ["known until"], "value": ["2026-09-30T20:59:59.999999Z"]})
show_table(rows, "provenance", "Provenance")"""
DECLARE = 'month: str = "2026-09"  # the month\nmodel: str = "linear"\nstage: str | None = None'


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    notebook = write_notebook(folder / "campaign_roi.ipynb", SHOW, KNOWN, declare=DECLARE)
    return run_report(notebook, {}, folder / "reports")


def copy(published, tmp_path):
    month = tmp_path / "2026-09"
    month.mkdir()
    for path in [path for path in published.iterdir() if path.is_file()]:
        (month / path.name).write_bytes(path.read_bytes())
    return month


def test_read_previous_gives_the_tables_with_their_types(published):
    then = read_previous(str(published), "campaign_roi", "2026-10")
    table = then.tables["deals"]
    assert table.dtypes.astype(str).to_dict() == {"deal_id": "str", "won_at": "datetime64[us]", "n": "float64",
                                                  "is_new": "boolean", "credit": "float64"}
    assert table["won_at"].tolist() == [pd.Timestamp("2026-09-30 23:59:59"), pd.NaT]
    assert table["deal_id"].isna().tolist() == table["credit"].isna().tolist() == [False, True]
    assert (then.month, then.known_until) == ("2026-09", pd.Timestamp("2026-09-30T20:59:59.999999Z"))


def test_read_previous_names_the_files_that_it_read(published):
    then = read_previous(str(published), "campaign_roi", "2026-09")
    assert then.sources == {f"previous/{name}": hash_file(published / name)
                            for name in ("manifest.json", "campaign_roi.ipynb")}


def test_read_previous_knows_the_definitions_that_the_report_was_made_by(published):
    then = read_previous(str(published), "campaign_roi", "2026-10")
    assert then.definitions["model"] == ("parameter", "linear")
    assert set(then.definitions) == {"model", "attribution-kit", "notebook"}
    ours = read_definitions("campaign_roi", {"model": "linear", "half_life_days": 30.0, "month": "2026-10"},
                            "data/sample")
    assert ours["half_life_days"] == ("parameter", "30") and "month" not in ours
    assert ours["agreement.toml"] == ("agreement", hash_file(ROOT / "data/sample/agreement.toml")[:12])
    assert ours["notebook"] != then.definitions["notebook"]


def test_definitions_of_a_notebook_are_its_code_whatever_its_parameters(published, tmp_path):
    notebook = write_notebook(tmp_path / "campaign_roi.ipynb", SHOW, KNOWN, declare=DECLARE)
    other = read_previous(str(run_report(notebook, {"model": "u_shaped"}, tmp_path)), "campaign_roi", "2026-10")
    first = read_previous(str(published), "campaign_roi", "2026-10")
    assert other.definitions["model"] == ("parameter", "u_shaped")
    assert other.definitions["notebook"] == first.definitions["notebook"]


def test_definitions_are_parameters_of_the_notebooks():
    known = [read_parameters(ROOT / f"notebooks/{name}.ipynb") for name in ("campaign_roi", "sla_conversion")]
    assert set(DEFINING) <= set(known[0]) | set(known[1])


def test_read_previous_of_nothing_is_an_empty_report_of_the_month():
    then = read_previous(None, "campaign_roi", "2026-10")
    assert (then.is_given, then.month, then.sources) == (False, "2026-10", {})
    assert then.sheet("deals", pd.DataFrame({"n": [1]})).empty


def test_read_previous_refuses_another_file_than_was_published(published, tmp_path):
    month = copy(published, tmp_path)
    (month / "campaign_roi.ipynb").write_text((published / "campaign_roi.ipynb").read_text() + " ")
    with pytest.raises(ValueError, match="campaign_roi.ipynb is not the file that was published .its sha256"):
        read_previous(str(month), "campaign_roi", "2026-10")
    (month / "campaign_roi.ipynb").unlink()
    with pytest.raises(ValueError, match="campaign_roi.ipynb is not there, although the manifest names it. Name a"):
        read_previous(str(month), "campaign_roi", "2026-10")


def test_read_previous_refuses_a_manifest_that_is_not_whole(published, tmp_path):
    month = copy(published, tmp_path)
    said = json.loads((month / "manifest.json").read_text())
    del said["campaign_roi"]["packages"]
    (month / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(ValueError, match="manifest.json: campaign_roi is not said as this version of the kit says it"):
        read_previous(str(month), "campaign_roi", "2026-10")


def test_read_previous_refuses_a_later_month(published):
    with pytest.raises(ValueError, match="2026-09 is of 2026-09, later than 2026-08. Name a month's folder"):
        read_previous(str(published), "campaign_roi", "2026-08")


def test_read_previous_refuses_a_report_of_a_version_that_kept_too_little(tmp_path):
    notebook = write_notebook(tmp_path / "campaign_roi.ipynb", SHOW, declare=DECLARE)
    month = run_report(notebook, {}, tmp_path / "reports")
    with pytest.raises(ValueError, match="kept too little to compare with. Make that month again"):
        read_previous(str(month), "campaign_roi", "2026-10")


@pytest.mark.parametrize(("manifest", "words"), [
    (None, "has no manifest.json. Name a month's folder made before, such as reports/2026-09$"),
    ({"sla_conversion": {}}, "has no report campaign_roi_mql, only sla_conversion. Name a month's folder")])
def test_find_published_refuses_a_folder_without_the_report(tmp_path, manifest, words):
    if manifest:
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ValueError, match=words):
        find_published(str(tmp_path), "campaign_roi_mql")


def test_read_table_types_a_table_of_no_rows():
    columns = [{"name": name, "format": form} for name, form in (
        ("won_at", "moment"), ("credit", "money"), ("path", "text"))]
    table = read_table({"columns": columns, "rows": []})
    assert table.dtypes.astype(str).tolist() == ["datetime64[us]", "float64", "str"]
