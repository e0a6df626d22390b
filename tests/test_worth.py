"""Worth: figures of deals by hand; an entry's worth is the rates of its way times the average deal."""

import numpy as np
import pandas as pd
import pytest
from conftest import make
from hypothesis import given
from hypothesis import strategies as st
from test_cohorts import FIVE_ENDS, STAGES, at, entries_of

from attribution.agreement import Agreement
from attribution.draws import list_steps
from attribution.worth import funnel_table, pipeline_velocity, stage_values, weighted_pipeline, win_rate

# --- deals

DEALS = make("opportunities", opportunity_id=["w1", "w2", "l1", "old", "o1", "o2", "gone", "odd"],
             stage=["Won", "Won", "Lost", "Won", "Proposal", "Review", "Proposal", "Won"],
             is_won=[True, True, False, True, False, False, False, True],
             is_closed=[True, True, True, True, False, False, False, True],
             value=[1000.0, 3000.0, 500.0, 9000.0, 800.0, None, 700.0, 2000.0],
             probability=[1, 1, 0, 1, 0.5, 0.25, 0.5, 1],
             created_at=["2026-09-30T12:00:00Z", "2026-09-20T12:00:00Z", "2026-09-01", "2025-01-01", "2026-10-01",
                         "2026-10-01", "2026-01-01", "2026-10-20"],
             close_on=["2026-10-09", "2026-10-09", "2026-10-31", "2025-10-31", "2026-12-01", "2026-11-30",
                       "2026-09-30", "2026-10-10"])
MONTH_END = Agreement(time_zone="Europe/Helsinki").month_end("2026-10")
HELSINKI = Agreement(time_zone="Europe/Helsinki")


def test_win_rate_counts_the_deals_closed_on_the_local_days():
    october = {"first": HELSINKI.start_of(pd.Series(pd.to_datetime(["2026-10-01"])))[0], "last": MONTH_END}
    row = win_rate(DEALS, HELSINKI, **october).iloc[0]
    assert row[["n_won", "n_lost", "value_won", "value_lost", "win_rate"]].tolist() == [3, 1, 6000, 500, 0.75]
    assert row[["rate_low", "rate_high"]].round(4).tolist() == [0.3006, 0.9544]           # Wilson of 3 in 4
    nothing = win_rate(DEALS.head(0), HELSINKI, **october).iloc[0]
    assert nothing["n_won"] == 0 and nothing[["win_rate", "rate_low", "rate_high"]].isna().all()


def test_pipeline_velocity_multiplies_its_factors():
    row = pipeline_velocity(DEALS, HELSINKI, as_of=MONTH_END).iloc[0]
    assert row[["n_open", "n_won", "n_lost", "win_rate", "average_won"]].tolist() == [2, 3, 1, 0.75, 2000]
    assert row["cycle_days"] == pytest.approx((9.375 + 19.375) / 2)       # to 21:00 UTC, the end of the day in Helsinki
    assert row["velocity"] == round(2 * 0.75 * 2000 / 14.375, 2)
    longer = pipeline_velocity(DEALS, HELSINKI, as_of=MONTH_END, n_months=13).iloc[0]
    assert longer["n_won"] == 4
    assert np.isnan(pipeline_velocity(DEALS.head(0), HELSINKI, as_of=MONTH_END)["velocity"][0])


def changes_of(*rows):
    return make("stage_changes", change_id=[f"h{i}" for i in range(len(rows))], record_type="opportunity",
                record_id=[row[0] for row in rows], from_stage=[row[1] for row in rows],
                stage=[row[2] for row in rows], changed_at=[row[3] for row in rows])


def test_weighted_pipeline_weighs_by_probability_and_by_what_became_of_the_stage():
    changes = changes_of(("w1", None, "Review", "2026-10-01"), ("w1", "Review", "Proposal", "2026-10-02"),
                         ("w1", "Proposal", "Proposal", "2026-10-03"), ("w1", "Proposal", "Won", "2026-10-09"),
                         ("l1", "Proposal", "Lost", "2026-10-31"), ("o1", "Review", "Proposal", "2026-10-05"),
                         ("w2", "Proposal", "Won", "2026-11-09"))
    table = weighted_pipeline(DEALS, changes, as_of=MONTH_END, agreement=HELSINKI).set_index("stage")
    assert table.index.tolist() == ["Review", "Proposal"]           # by probability
    assert table[["n", "n_unpriced", "n_history"]].to_numpy().tolist() == [[1, 1, 1], [1, 0, 2]]
    assert np.isnan(table.loc["Review", "value"]) and np.isnan(table.loc["Review", "by_history"])
    assert table.loc["Proposal", ["value", "by_probability", "history_rate", "by_history"]].tolist() == [
        800, 400, 0.5, 400]
    assert table.loc["Proposal", ["by_history_low", "by_history_high"]].tolist() == pytest.approx(
        [800 * 0.0945, 800 * 0.9055], abs=0.1)                             # Wilson of 1 in 2
    lead_rows = changes.assign(record_type="lead")
    alone = weighted_pipeline(DEALS, lead_rows, as_of=MONTH_END, agreement=HELSINKI)
    assert alone["n_history"].tolist() == [0, 0] and alone["by_history"].isna().all()


def test_weighted_pipeline_of_no_deal_is_empty():
    table = weighted_pipeline(DEALS.head(0), changes_of(), as_of=MONTH_END, agreement=HELSINKI)
    full = weighted_pipeline(DEALS, changes_of(), as_of=MONTH_END, agreement=HELSINKI)
    assert table.empty and table.columns.tolist() == full.columns.tolist()


# --- what a stage is worth

NOW = at(600)


def funnel_of(n_leads=40, deal="D", prefix="p"):
    """Half of the leads become MQLs, half of them SQLs; five SQLs are one deal; a fifth of the deals is won."""
    rows, n_mqls, n_sqls = [], n_leads // 2, n_leads // 4
    for i in range(n_leads):
        who, theirs = f"{prefix}{i}", f"{deal}{i // 5}" if i < n_sqls else None
        rows.append((who, "lead", 1, 5, "mql" if i < n_mqls else "out", 1, theirs))
        rows += [(who, "mql", 5, 9, "sql" if i < n_sqls else "out", 1, theirs)] if i < n_mqls else []
        rows += [(who, "sql", 9, 11, "opportunity", 1, theirs)] if i < n_sqls else []
    for i in range(n_sqls // 5):
        rows.append((f"{deal}{i}", "opportunity", 11, 20, "customer" if i % 5 == 0 else "out"))
        rows += [(f"{deal}{i}", "customer", 20, None, None)] if i % 5 == 0 else []
    return rows


def deals_of(*values, ids=None):
    return make("opportunities", opportunity_id=ids or [f"D{i}" for i in range(len(values))], is_won=True, stage="Won",
                is_closed=True, value=list(values), close_on="2026-06-01", created_at="2026-01-12T00:00:00Z")


def value_stages(rows, deals, segments=None, **options):
    entries = rows if isinstance(rows, pd.DataFrame) else entries_of(*rows)
    return stage_values(entries, deals, agreement=Agreement(), as_of=NOW, segments=segments,
                        **{"n_resamples": 200} | options)


def test_stage_values_multiply_the_rates_down_to_the_average_deal():
    table = value_stages(funnel_of(100), deals_of(8000.0, 12000.0))
    assert table["stage"].tolist() == STAGES and set(table["segment"]) == {"all"}
    assert table["value"].tolist() == [100.0, 200.0, 400.0, 2000.0, 10000.0]       # .5, .5, 5 SQLs a deal, .2
    assert table["n"].tolist() == [100, 50, 25, 5, 2] and not table["is_pooled"].any()
    assert 100 * 100.0 == 1 * 10000.0               # the leads together are worth the one deal that was won of them
    assert (table["value_low"] <= table["value"]).all() and (table["value"] <= table["value_high"]).all()


def test_stage_values_of_a_stage_whose_way_nobody_went_are_blank():
    rows = [row for row in funnel_of(100) if row[1] not in ("opportunity", "customer")]
    table = value_stages(rows, deals_of(8000.0, 12000.0))
    assert table["value"].isna().tolist() == [True] * 4 + [False] and table["n"].tolist() == [100, 50, 25, 0, 2]
    unsold = value_stages(funnel_of(100), deals_of())
    assert unsold["value"].isna().all() and unsold["value_high"].isna().all()
    nobody = value_stages(FIVE_ENDS.head(0), deals_of())
    assert nobody["value"].isna().all() and nobody["n"].tolist() == [0] * 5


def test_stage_values_of_deals_none_of_which_was_won_are_nothing_without_an_interval():
    rows = [(*row[:4], "out", *row[5:]) if row[1] == "opportunity" else row for row in funnel_of(100)
            if row[1] != "customer"]
    table = value_stages(rows, deals_of(5.0))
    assert table["value"].tolist() == [0, 0, 0, 0, 5]
    for bound in ("value_low", "value_high"):
        assert table[bound].isna().tolist() == [True] * 4 + [False]


def test_stage_values_take_the_last_months_only():
    old = [(f"x{i}", "lead", -900, -800, "out") for i in range(100)]
    dear = deals_of(1e6, ids=["Z"]).assign(close_on=pd.Timestamp("2020-01-01").as_unit("us"))
    table = value_stages(funnel_of(100) + old, pd.concat([deals_of(8000.0, 12000.0), dear]))
    assert table["value"].tolist() == [100.0, 200.0, 400.0, 2000.0, 10000.0]
    assert value_stages(funnel_of(100) + old, deals_of(10000.0), n_months=60)["value"].iloc[0] == 50.0
    assert value_stages(funnel_of(100), deals_of(10000.0), n_months=2)["n"].iloc[-1] == 0


def test_stage_values_by_segment_stand_alone_where_there_are_enough_else_pooled():
    many, few = funnel_of(1000, "DX", "x"), funnel_of(100, "DY", "y")
    entries = entries_of(*many, *few)
    deals = deals_of(20000.0, 9000.0, ids=["DX0", "DY0"])
    segments = pd.DataFrame({"record_id": entries["record_id"].drop_duplicates(), "weight": 1.0})
    segments = segments.assign(segment=segments["record_id"].str.contains("X|x").map({True: "big", False: "small"}))
    table = value_stages(entries, deals, segments).set_index(["segment", "stage"])
    assert table.index.get_level_values(0).unique().tolist() == ["all", "big", "small"]
    assert not table.loc["big", "is_pooled"].any() and table.loc["small", "is_pooled"].all()
    assert table.loc["big", "value"].tolist() == [200.0, 400.0, 800.0, 4000.0, 20000.0]
    columns = ["value", "value_low", "value_high"]
    assert table.loc["small", columns].to_numpy().tolist() == table.loc["all", columns].to_numpy().tolist()
    assert table.loc["small", "n"].tolist() == [100, 50, 25, 5, 1]
    without = value_stages(entries, deals.head(0), segments)
    assert without.query("segment == 'big'")["is_pooled"].all()


def test_a_segment_needs_thirty_entries_and_five_that_reached_to_stand_for_itself():
    rows = [(f"{who}{i}", "lead", 1, 2, "customer" if i < k else "out") for who, n, k in (
        ("a", 30, 5), ("b", 29, 5), ("c", 30, 4)) for i in range(n)]
    rows += [(who, "customer", 2, None, None) for who, _, _, _, to in rows if to == "customer"]
    entries, deals = with_stages(entries_of(*rows), "lead", "customer"), deals_of(6.0, 6.0, 6.0, ids=["a!", "b!", "c!"])
    records = pd.concat([entries["record_id"].drop_duplicates(), deals["opportunity_id"]], ignore_index=True)
    segments = pd.DataFrame({"record_id": records, "segment": records.str[:1], "weight": 1.0})
    table = value_stages(entries, deals, segments).query("stage == 'lead'").set_index("segment")
    assert table["is_pooled"].to_dict() == {"all": False, "a": False, "b": True, "c": True}
    assert table["value"].to_dict() == {"all": 0.94, "a": 1.0, "b": 0.94, "c": 0.94}          # 14 of 89, 5 of 30


def test_stage_values_leave_contradictory_entries_and_lost_or_unpriced_deals_out():
    deals = deals_of(8000.0, 12000.0, None, 99.0).assign(is_won=[True, True, True, False])
    odd = [(f"odd{i}", "lead", 9, 5, "out") for i in range(50)]
    table = value_stages(funnel_of(100) + odd, deals)
    assert table["value"].tolist() == [100.0, 200.0, 400.0, 2000.0, 10000.0]
    assert table["n"].tolist() == [100, 50, 25, 5, 2]


def test_stage_values_refuse_segments_that_share_a_record():
    shared = pd.DataFrame({"record_id": ["p0", "p0", "p1"], "segment": ["x", "y", "x"], "weight": [0.5, 0.5, 1.0]})
    with pytest.raises(ValueError, match=r"segments: 2 of 3 rows have a weight other than 1 \(first: p0\)\. Put each"):
        value_stages(funnel_of(), deals_of(1.0), shared)


def test_stage_values_are_the_same_again_and_from_shuffled_rows():
    entries, deals = entries_of(*funnel_of(100)), deals_of(8000.0, 12000.0, 1.0)
    once = value_stages(entries, deals)
    pd.testing.assert_frame_equal(value_stages(entries, deals), once)
    shuffled = entries.sample(frac=1, random_state=3).reset_index(drop=True)
    pd.testing.assert_frame_equal(value_stages(shuffled, deals.sample(frac=1, random_state=3)), once)
    assert value_stages(entries, deals, seed=1)["value_high"].tolist() != once["value_high"].tolist()
    assert value_stages(entries, deals, seed=1)["value"].tolist() == once["value"].tolist()


def test_stage_values_take_the_steps_that_are_there_already():
    entries, deals = entries_of(*funnel_of(100)), deals_of(8000.0, 12000.0)
    steps = list_steps(entries, agreement=Agreement(), as_of=NOW)
    pd.testing.assert_frame_equal(value_stages(entries, deals, steps=steps), value_stages(entries, deals))
    fewer = steps[steps["from_stage"] != "sql"]
    assert value_stages(entries, deals, steps=fewer)["n"].tolist() == [100, 50, 0, 5, 2]


def with_stages(entries, *stages):
    return entries.assign(stage=entries["stage"].astype(pd.CategoricalDtype(list(stages), ordered=True)))


def test_stage_values_spread_as_binomials_where_everybody_is_known():
    """Two pairs of 400, half of whom reach: 0.5 +- 1.96 sqrt(0.25 / 400); of the product the variances add up."""
    rows = [(f"{who}{i}", stage, 1, 5, to if i < 200 else "out") for who, stage, to in (
        ("a", "lead", "mql"), ("b", "mql", "customer")) for i in range(400)]
    rows += [(f"{who}{i}", to, 5, None, None, 1, None, True) for who, to in (("a", "mql"), ("b", "customer"))
             for i in range(200)]
    table = value_stages(with_stages(entries_of(*rows), "lead", "mql", "customer"), deals_of(1e6), n_resamples=4000)
    assert table["value"].tolist() == [250_000, 500_000, 1_000_000] and table["n"].tolist() == [400, 400, 1]
    half = (table["value_high"] - table["value_low"]) / 2 / table["value"]
    assert half.tolist() == pytest.approx([1.96 * 0.05 * np.sqrt(2), 1.96 * 0.05, 0], rel=0.05)


@given(st.lists(st.tuples(st.sampled_from(["customer", "out", None]), st.integers(0, 30)), min_size=1, max_size=20))
def test_stage_values_estimate_the_rate_that_statsmodels_does(rows):
    from statsmodels.duration.survfunc import CumIncidenceRight
    entries = entries_of(*[row for i, (to, days) in enumerate(rows) for row in (
        [(f"p{i}", "lead", 600 - days, None, None)] if to is None else
        [(f"p{i}", "lead", 500, 500 + days, to)] + [(f"p{i}", to, 500 + days, None, None)] * (to == "customer"))])
    value = value_stages(with_stages(entries, "lead", "customer"), deals_of(1e6), n_resamples=1)["value"][0]
    status = np.array([{"customer": 1, "out": 2, None: 0}[to] for to, _ in rows])
    with np.errstate(all="ignore"):
        fit = CumIncidenceRight(np.array([days for _, days in rows]), status)
    assert value == pytest.approx(1e6 * fit.cinc[0][-1] if (status == 1).any() else 0, abs=0.01)


def test_a_known_worth_is_found_with_some_still_waiting():
    """40 made-up companies: the worth of a lead, 0.4 x 0.25 x 1,000, should lie in the interval in about 38."""
    rng, held = np.random.default_rng(5), 0
    for _ in range(40):
        rows = []
        for i, entered in enumerate(rng.uniform(100, 600, 300)):
            mql, deal = entered + rng.exponential(30), entered + 60 + rng.exponential(20)
            to, won = rng.random() < 0.4, rng.random() < 0.25
            left = mql if mql < 600 else None
            left_to = ("opportunity" if to else "out") if left else None
            rows.append((f"p{i}", "lead", entered, left, left_to, 1, f"D{i}" if to and left else None))
            if to and left:
                end = deal if deal < 600 and deal > mql else None
                rows.append((f"D{i}", "opportunity", mql, end, ("customer" if won else "out") if end else None))
                rows += [(f"D{i}", "customer", end, None, None)] if end and won else []
        lead = value_stages(with_stages(entries_of(*rows), "lead", "opportunity", "customer"), deals_of(1000.0)).iloc[0]
        held += lead["value_low"] <= 100 <= lead["value_high"]
    assert held >= 34


# --- the funnel of a period

def test_funnel_table_counts_first_entries_and_their_worth():
    rows = entries_of(("a", "lead", 0, 1, "mql"), ("a", "mql", 1, 2, "lead"), ("a", "lead", 2, 3, "mql", 2),
                      ("a", "mql", 3, None, None, 2), ("b", "lead", 9, 9, "mql", 1, None, True),
                      ("b", "mql", 9, None, None), ("c", "lead", 50, None, None))
    values = pd.DataFrame({"stage": pd.Categorical(STAGES * 2, STAGES, ordered=True),
                           "segment": ["all"] * 5 + ["x"] * 5, "value": [10.0, 20.5, np.nan, 1, 1] + [7.0] * 5,
                           "value_low": 1.0, "value_high": 99.0})
    table = funnel_table(rows, values, first=at(0), last=at(20)).set_index("stage")
    assert table[["n_entered", "n_again", "n_imputed"]].to_numpy().tolist() == [
        [2, 1, 1], [2, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert table["worth"].iloc[:2].tolist() == [20.0, 41.0] and np.isnan(table["worth"].iloc[2])
    assert table["worth"].iloc[3] == 0.0
    later = funnel_table(rows, values, first=at(2), last=at(20))
    assert later[["n_entered", "n_again"]].to_numpy().tolist()[:2] == [[1, 1], [1, 1]]
    assert funnel_table(rows.head(0), values, first=at(0), last=at(20))["n_entered"].tolist() == [0] * 5
