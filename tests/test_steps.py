"""Every pair of stages at once: the same figures as of each pair alone, in the right unit."""

import numpy as np
import pandas as pd

from attribution.agreement import Agreement, Stage
from attribution.cohorts import build_passages, cohort_conversion
from attribution.steps import complete_funnel, conversion_steps, join_accounts, period_steps
from attribution.tables import UTC

STAGES = ["lead", "mql", "sql", "opportunity", "customer"]
AGREEMENT = Agreement(time_zone="Europe/Helsinki")
START = pd.Timestamp("2024-12-31 22:00", tz="UTC")                   # the beginning of 2025 in Helsinki
AS_OF = START + pd.Timedelta(days=365) - pd.Timedelta(microseconds=1)
FIRST = START + pd.Timedelta(days=100)


def entries_of(*rows):
    """Make entries from (record, account, stage, day, day of leaving, left to); a record in capitals is a deal."""
    table = pd.DataFrame(rows, columns=["record_id", "account_id", "stage", "day", "left", "left_to"])
    is_deal = table["record_id"].str.isupper()
    at = {name: (START + pd.to_timedelta(table[day].astype(float), unit="D")).astype(UTC)
          for name, day in (("entered_at", "day"), ("left_at", "left"))}
    return table.assign(
        stage=pd.Categorical(table["stage"], STAGES, ordered=True), lifecycle=1, n_entry=1, is_imputed=False,
        is_contradictory=False, owner_id="sam", person_id=table["record_id"].mask(is_deal),
        opportunity_id=table["record_id"].where(is_deal), **at).astype(
        dict.fromkeys(("record_id", "account_id", "left_to", "person_id", "opportunity_id", "owner_id"), "str"))


#: Two people of Acme, one of whom comes further within the ripe cohort, and three deals of two accounts.
ENTRIES = entries_of(
    ("ann", "acme", "mql", 50, 60, "sql"), ("ann", "acme", "sql", 60, None, None),
    ("bo", "acme", "mql", 90, 95, "out"), ("cy", None, "mql", 350, None, None),
    ("D", "acme", "opportunity", 120, 140, "customer"), ("D", "acme", "customer", 140, None, None),
    ("E", "acme", "opportunity", 110, 130, "out"), ("F", "beta", "opportunity", 110, 130, "out"),
    ("G", None, "opportunity", 110, 130, "out"))


def steps():
    return conversion_steps(ENTRIES, AGREEMENT, first=FIRST, last=AS_OF, as_of=AS_OF)


def step(one, unit):
    return steps().query("from_stage == @one and unit == @unit").reset_index(drop=True)


def test_conversion_steps_name_the_unit_of_each_pair():
    table = steps()[["from_stage", "to_stage", "unit"]].drop_duplicates()
    assert table.values.tolist() == [
        ["lead", "mql", "people"], ["mql", "sql", "people"], ["sql", "opportunity", "people to deals"],
        ["opportunity", "customer", "deals"], ["opportunity", "customer", "accounts"]]


def test_conversion_steps_take_the_latest_cohort_and_a_ripe_one():
    latest, ripe = step("mql", "people").itertuples()
    # whoever gets to SQL has done so in 10 days, so 30 is enough: the ripe cohort entered 30 days earlier
    assert (latest.within_days, ripe.within_days) == (30, 30)
    assert [f"{day:%m-%d}" for row in (latest, ripe) for day in (row.entered_from_on, row.entered_to_on)] == [
        "04-11", "12-31", "03-12", "12-01"]
    assert (latest.n, latest.n_reached, latest.n_waiting) == (1, 0, 1)                   # cy
    assert (ripe.n, ripe.n_reached, ripe.n_out, ripe.basis) == (1, 0, 1, "ripe")         # bo


def test_conversion_steps_are_those_of_each_pair_alone():
    alone = cohort_conversion(build_passages(ENTRIES, "opportunity", "customer", as_of=AS_OF), first=FIRST, last=AS_OF,
                              within_days=30)
    latest = step("opportunity", "deals").iloc[0]
    counts = ["n", "n_reached", "n_out"]
    assert latest[counts].tolist() == alone.iloc[0][counts].tolist() == [4, 1, 3]
    assert latest["conversion_rate"] == 0.25


def test_conversion_steps_count_an_account_once():
    # one of Acme's two deals was won: one account of two; the deal without an account is in neither
    latest = step("opportunity", "accounts").iloc[0]
    assert latest[["n", "n_reached", "n_out", "conversion_rate"]].tolist() == [2, 1, 1, 0.5]


def test_conversion_steps_take_an_accounts_first_deal_of_the_cohort_though_it_had_others_before():
    entries = entries_of(("A", "acme", "opportunity", 10, 20, "out"),
                         ("B", "acme", "opportunity", 120, 140, "customer"), ("B", "acme", "customer", 140, None, None))
    table = conversion_steps(entries, AGREEMENT, first=FIRST, last=AS_OF, as_of=AS_OF)
    assert table.query("unit == 'accounts'").iloc[0][["n", "n_reached"]].tolist() == [1, 1]


def test_conversion_steps_wait_no_longer_than_a_years_cohort_can_show():
    slow = entries_of(("D", "acme", "opportunity", 1, 349, "customer"), ("D", "acme", "customer", 349, None, None))
    table = conversion_steps(slow, AGREEMENT, first=FIRST, last=AS_OF, as_of=AS_OF)
    assert set(table.query("from_stage == 'opportunity'")["within_days"]) == {270}


def test_join_accounts_waits_while_one_deal_waits_and_ends_with_the_last():
    at = pd.to_datetime(["2026-01-01", "2026-01-03", "2026-01-02", "2026-01-05"]).tz_localize("UTC").astype(UTC)
    passages = pd.DataFrame({"record_id": ["A", "B", "C", "D"], "account_id": ["acme", "acme", "beta", "beta"],
                             "end": ["out", "waiting", "out", "out"], "entered_at": at,
                             "ended_at": at + pd.Timedelta(days=10), "days": 10.0})
    rows = join_accounts(passages).set_index("record_id")
    assert rows["end"].to_dict() == {"acme": "waiting", "beta": "out"}
    assert rows["days"].to_dict() == {"acme": 12.0, "beta": 13.0}
    reached = join_accounts(passages.assign(end=["reached", "waiting", "contradictory", "out"])).set_index("record_id")
    assert reached["end"].to_dict() == {"acme": "reached", "beta": "out"}
    assert reached["days"].to_dict() == {"acme": 10.0, "beta": 10.0}
    assert join_accounts(passages[:0]).empty


def test_period_steps_set_each_stages_entries_beside_the_nexts():
    table = period_steps(ENTRIES, first=START, last=AS_OF)
    assert table[["from_stage", "to_stage", "n_from", "n_to"]].values.tolist() == [
        ["lead", "mql", 0, 3], ["mql", "sql", 3, 1], ["sql", "opportunity", 1, 4], ["opportunity", "customer", 4, 1]]


def test_complete_funnel_puts_the_rates_and_what_was_booked_beside_the_stages():
    stages = pd.DataFrame({"stage": pd.Categorical(["sql", "opportunity", "customer"]), "worth": [10.0, 20.0, 30.0],
                           "value": 5.0, "value_low": 4.0, "value_high": 6.0})
    rates = pd.DataFrame({"from_stage": pd.Categorical(["opportunity", "sql"]), "rate": [0.25, 0.5],
                          "rate_low": [0.2, 0.4], "rate_high": [0.3, 0.6]})
    table = complete_funnel(stages, rates, pd.DataFrame({"value_won": [31.5], "average_won": [15.754]}))
    assert table["conversion_rate"].tolist()[:2] == [0.5, 0.25] and np.isnan(table["conversion_rate"].iloc[2])
    assert table["rate_high"].tolist()[:2] == [0.6, 0.3]
    assert table["worth"].tolist() == [10.0, 20.0, 31.5] and table["value"].tolist() == [5.0, 5.0, 15.75]
    assert table["value_low"].isna().tolist() == [False, False, True]


def test_steps_of_nobody_are_blank():
    none = ENTRIES[:0]
    table = conversion_steps(none, AGREEMENT, first=FIRST, last=AS_OF, as_of=AS_OF)
    assert len(table) == 10 and (table["n"] == 0).all() and table["conversion_rate"].isna().all()
    assert period_steps(none, first=START, last=AS_OF)["n_from"].tolist() == [0] * 4


def test_steps_of_an_agreement_with_the_won_stage_alone_are_empty():
    entries = ENTRIES[ENTRIES["stage"] == "customer"]
    alone = entries.assign(stage=entries["stage"].cat.set_categories(["customer"]))
    agreement = Agreement(stages=(Stage("customer", "sales", "opportunity_won"),))
    table = conversion_steps(alone, agreement, first=FIRST, last=AS_OF, as_of=AS_OF)
    assert len(alone) == 1 and len(table) == 0 and table.dtypes.to_dict() == steps().dtypes.to_dict()
    periods = period_steps(alone, first=START, last=AS_OF)
    assert len(periods) == 0
    assert periods.dtypes.to_dict() == period_steps(ENTRIES, first=START, last=AS_OF).dtypes.to_dict()
