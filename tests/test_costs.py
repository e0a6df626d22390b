"""Costs: the ledger where there is one, else the actual cost by day, and never a cent made or lost."""

import numpy as np
import pandas as pd
import pytest
from conftest import make
from hypothesis import given
from hypothesis import strategies as st

from attribution.costs import costs_between, phase_costs, read_ledger
from attribution.tables import TableError

EXPORTED = pd.Timestamp("2026-10-31")


def campaign(id="ad", cost=10.0, first="2026-10-01", last="2026-10-10", created="2026-09-15T12:00:00Z"):
    return make("campaigns", campaign_id=[id], actual_cost=[cost], starts_on=[first], ends_on=[last],
                created_at=[created])


def ledger_of(*rows):
    table = pd.DataFrame(rows, columns=["campaign_id", "spent_on", "cost"])
    return table.astype({"campaign_id": "str", "cost": float}).assign(
        spent_on=pd.to_datetime(table["spent_on"]).astype("datetime64[us]"))


def span(costs):
    return costs["spent_on"].min(), costs["spent_on"].max(), len(costs)


def cost_between(costs, campaigns, first, last):
    first = None if first is None else pd.Timestamp(first)
    return costs_between(costs, campaigns, first, pd.Timestamp(last))["cost"].tolist()


def test_phase_costs_spreads_from_start_to_end_and_gives_leftover_cents_to_the_first_days():
    costs = phase_costs(campaign(cost=10.07), EXPORTED)
    assert costs["cost"].tolist() == [1.01] * 7 + [1.0] * 3
    assert span(costs) == (pd.Timestamp("2026-10-01"), pd.Timestamp("2026-10-10"), 10)
    assert costs["basis"].unique().tolist() == ["phased"]


@pytest.mark.parametrize(("dates", "first", "last", "n"), [
    ({"last": None}, "2026-10-01", "2026-10-31", 31),                           # no end: to the export's day
    ({"last": "2026-12-31"}, "2026-10-01", "2026-10-31", 31),                   # an end to come: to the export's day
    ({"first": None}, "2026-09-15", "2026-10-10", 26),                          # no start: from the record's creation
    ({"first": "2026-11-20", "last": None}, "2026-11-20", "2026-11-20", 1),     # starts after the export
    ({"last": "2026-09-01"}, "2026-10-01", "2026-10-01", 1),                    # ends before it starts
    ({"first": None, "created": None}, "2026-10-31", "2026-10-31", 1),          # nothing known: the export's day
])
def test_phase_costs_finds_the_days(dates, first, last, n):
    costs = phase_costs(campaign(**dates), EXPORTED)
    assert span(costs) == (pd.Timestamp(first), pd.Timestamp(last), n)
    assert round(costs["cost"].sum(), 2) == 10.0


dates_or_none = st.none() | st.dates(pd.Timestamp("2024-01-01").date(), pd.Timestamp("2027-12-31").date()).map(str)


@given(st.lists(st.tuples(st.integers(0, 10**9), dates_or_none, dates_or_none), max_size=6))
def test_phase_costs_conserves_cents(rows):
    campaigns = make("campaigns", campaign_id=[f"c{i}" for i in range(len(rows))],
                     actual_cost=[c / 100 for c, *_ in rows],
                     starts_on=[a for _, a, _ in rows], ends_on=[b for *_, b in rows],
                     created_at="2026-01-01T00:00:00Z")
    costs = phase_costs(campaigns, EXPORTED)
    days = (costs["cost"] * 100).round().astype(int).groupby(costs["campaign_id"])
    assert days.sum().to_dict() == {f"c{i}": cents for i, (cents, *_) in enumerate(rows)}
    assert (days.max() - days.min()).max() in (0, 1) or not rows


def test_phase_costs_ignores_unknown_costs_and_keeps_known_zeros():
    campaigns = pd.concat([campaign("blank", np.nan), campaign("free", 0.0)], ignore_index=True)
    costs = phase_costs(campaigns, EXPORTED)
    assert costs["campaign_id"].unique().tolist() == ["free"]
    assert cost_between(costs, campaigns, "2026-10-01", "2026-10-31")[1] == 0.0
    assert np.isnan(cost_between(costs, campaigns, "2026-10-01", "2026-10-31")[0])


def test_phase_costs_of_nothing_known_is_empty_and_every_cost_blank():
    campaigns = campaign(cost=np.nan)
    costs = phase_costs(campaigns, EXPORTED)
    assert len(costs) == 0
    rows = costs_between(costs, campaigns, None, EXPORTED)
    assert rows["cost"].isna().all() and rows["basis"].isna().all()


def test_ledger_wins_over_phasing_campaign_by_campaign():
    campaigns = pd.concat([campaign("ad"), campaign("mail", 5.0)], ignore_index=True)
    costs = phase_costs(campaigns, EXPORTED, ledger_of(("ad", "2026-08-01", 70.0), ("ad", "2026-08-01", 7.5)))
    assert costs.groupby(["campaign_id", "basis"])["cost"].sum().round(2).to_dict() == {
        ("ad", "ledger"): 77.5, ("mail", "phased"): 5.0}
    rows = costs_between(costs, campaigns, pd.Timestamp("2026-08-01"), pd.Timestamp("2026-10-05"))
    assert rows.to_numpy().tolist() == [["ad", 77.5, "ledger"], ["mail", 2.5, "phased"]]


def test_ledger_of_a_campaign_that_is_not_in_the_table_keeps_its_own_row():
    costs = phase_costs(campaign("ad"), EXPORTED, ledger_of(("gone", "2026-08-01", 7.0), ("gone", "2026-12-01", 9.0)))
    rows = costs_between(costs, campaign("ad"), None, EXPORTED)
    assert rows.to_numpy().tolist() == [["ad", 10.0, "phased"], ["gone", 7.0, "ledger"]]


def test_ledger_may_write_the_short_form_of_an_id():
    campaigns = campaign("701D000000IRFmaIAH")
    costs = phase_costs(campaigns, EXPORTED, ledger_of(("701D000000IRFma", "2026-10-01", 7.0)))
    assert costs_between(costs, campaigns, None,
                         EXPORTED).to_numpy().tolist() == [["701D000000IRFmaIAH", 7.0, "ledger"]]


def test_costs_between_includes_both_days_and_sums_from_the_beginning():
    campaigns, costs = campaign(), phase_costs(campaign(), EXPORTED)
    assert cost_between(costs, campaigns, "2026-10-02", "2026-10-04") == [3.0]
    assert cost_between(costs, campaigns, None, "2026-10-04") == [4.0]
    assert cost_between(costs, campaigns, "2026-11-01", "2026-11-30") == [0.0]
    assert cost_between(costs, campaigns, None, "2026-10-31") == [10.0]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=4))
def test_costs_of_consecutive_periods_sum_to_the_whole(lengths):
    campaigns = campaign(cost=1234.57, last=None)
    costs, edges = phase_costs(campaigns, EXPORTED), [pd.Timestamp("2026-09-25")]
    for length in lengths:
        edges.append(edges[-1] + pd.Timedelta(days=length))
    parts = [cost_between(costs, campaigns, a, b - pd.Timedelta(days=1))[0] for a,
             b in zip(edges, edges[1:], strict=False)]
    whole = cost_between(costs, campaigns, edges[0], edges[-1] - pd.Timedelta(days=1))[0]
    assert round(sum(parts), 2) == whole


def test_read_ledger_reads_money_and_days(tmp_path):
    (tmp_path / "spend.csv").write_text("campaign_id,spent_on,cost,note\n701A,2026-10-31,12.5,x\n701B,2026-10-01,0,\n")
    ledger = read_ledger(tmp_path)
    assert ledger["cost"].tolist() == [12.5, 0.0]
    assert ledger["spent_on"].tolist() == [pd.Timestamp("2026-10-31"), pd.Timestamp("2026-10-01")]
    assert ledger.columns.tolist() == ["campaign_id", "spent_on", "cost"]


def test_read_ledger_of_a_folder_without_one_is_none(tmp_path):
    assert read_ledger(tmp_path) is None


@pytest.mark.parametrize(("text", "words"), [
    ("campaign_id,cost\n701A,1\n", r"there is no column spent_on\. Its columns are campaign_id, spent_on, cost"),
    ("campaign_id,spent_on,cost\n701A,31.10.2026,1\n701A,2026-10-31,1\n", r"1 of 2 rows have .* \(first: line 2\)"),
    ("campaign_id,spent_on,cost\n701A,2026-10-31,1\n701A,2026-10-31,much\n", r"1 of 2 rows have .* \(first: line 3\)"),
    ("campaign_id,spent_on,cost\n701A,2026-10-31,-1\n", r"1 of 1 rows have .* \(first: line 2\)"),
    ("campaign_id,spent_on,cost\n701A,2026-10-31,inf\n", r"1 of 1 rows have .* \(first: line 2\)"),
    ("campaign_id,spent_on,cost\n,2026-10-31,1\n", r"1 of 1 rows have .* \(first: line 2\)"),
    ("", r"spend\.csv: is no table that can be read"),
    ('campaign_id,spent_on,cost\n"701A,2026-10-31,1\n', r"spend\.csv: is no table that can be read"),
    ("campaign_id,spent_on,cost\n701A,2026-10-31,1,2,3,4\n701A,1\n701A,2026-10-31,1,2,3,4,5\n", r"spend\.csv: "),
])
def test_read_ledger_says_what_is_wrong(tmp_path, text, words):
    (tmp_path / "spend.csv").write_text(text)
    with pytest.raises(TableError, match=words) as error:
        read_ledger(tmp_path)
    assert "\n" not in str(error.value)


def test_read_ledger_refuses_a_column_that_is_there_twice(tmp_path):
    (tmp_path / "spend.csv").write_text("campaign_id,spent_on,cost, cost\n701A,2026-10-01,5,6\n")
    with pytest.raises(TableError, match="^spend.csv: column cost is there twice. Leave one of them out.$"):
        read_ledger(tmp_path)


def test_read_ledger_refuses_another_encoding(tmp_path):
    (tmp_path / "spend.csv").write_bytes("campaign_id,spent_on,cost,note\n701A,2026-10-31,1,Mäkelä\n".encode("latin-1"))
    with pytest.raises(TableError, match=r"^spend\.csv: is no table that can be read \(.*utf-8"):
        read_ledger(tmp_path)


def test_read_ledger_refuses_more_cells_than_the_header_has(tmp_path):
    (tmp_path / "spend.csv").write_text("campaign_id,spent_on,cost\n701A,2026-10-05,12,000.00\n")
    with pytest.raises(TableError, match=r"spend\.csv: lines have more cells than the header"):
        read_ledger(tmp_path)


def test_read_ledger_of_a_zip_stands_beside_it_and_its_ids_are_trimmed(tmp_path):
    (tmp_path / "export.zip").write_bytes(b"PK")
    (tmp_path / "spend.csv").write_text("campaign_id , spent_on,cost\n701A , 2026-10-05 ,12\n")
    ledger = read_ledger(tmp_path / "export.zip")
    assert ledger.to_numpy().tolist() == [["701A", pd.Timestamp("2026-10-05"), 12.0]]
