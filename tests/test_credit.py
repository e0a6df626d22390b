from functools import partial

import duckdb
import numpy as np
import oracle
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from companies import companies, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import credit as credit_module
from attribution.credit import compare_models, credit_by_campaign, credit_by_position, explain, share_credit
from attribution.journeys import LINKINGS, build_journeys, chunk_ends
from attribution.models import MODELS, time_decay
from attribution.tables import TableError

HELSINKI = "Europe/Helsinki"
NAMED = [model for model in MODELS if model != "position_based"]


def moments(*texts):
    return pd.to_datetime(pd.Series(texts), utc=True, format="ISO8601")


def deal_of(value, campaigns, days_apart=1, **deal):
    """Journeys of one deal, met by each campaign in turn."""
    n = len(campaigns)
    ids = [f"t{i:03}" for i in range(1, n + 1)]
    touches = pd.DataFrame({"touch_id": ids, "person_id": "Ann", "account_id": "Acme", "campaign_id": campaigns,
                            "touched_at": pd.Timestamp("2026-03-01", tz="UTC") + pd.to_timedelta(
                                np.arange(n) * days_apart, "D")})
    conversion = pd.DataFrame({"conversion_id": ["d"], "account_id": "Acme", "person_id": None, "value": float(value),
                               "converted_at": moments("2026-09-30")} | deal)
    return build_journeys(touches, conversion)


def credits(journeys, model="linear", **options):
    return share_credit(journeys, model, **options)["credit"].tolist()


@pytest.fixture
def ten_thousand():
    """A LinkedIn ad, seven days later a guide download that created the lead, then a deal of EUR 10,000.00.

    Close and creation of the deal are on the guide's day, and dated by that day.
    """
    touches = pd.DataFrame({"touch_id": ["t1", "t2"], "person_id": "Ann", "account_id": "Acme",
                            "campaign_id": ["LinkedIn ad", "Guide"], "touched_at": moments("2026-03-01", "2026-03-08"),
                            "joined_at": moments("2026-03-01", "2026-03-08"),
                            "modified_at": moments("2026-03-01", "2026-03-08")})
    deal = pd.DataFrame({"conversion_id": ["deal"], "account_id": "Acme", "person_id": None, "value": 10000.0,
                         "converted_at": moments("2026-03-08T23:59:59.999999"), "lead_person_id": "Ann",
                         "lead_created_at": moments("2026-03-08T10:00"),
                         "opportunity_created_at": moments("2026-03-08T15:00")})
    return build_journeys(touches, deal)


@pytest.mark.parametrize(("model", "options", "ad", "guide"), [
    ("first_touch", {}, 10000, 0), ("last_touch", {}, 0, 10000), ("linear", {}, 5000, 5000),
    ("u_shaped", {}, 5000, 5000), ("j_shaped", {}, 2500, 7500), ("inverse_j", {}, 7500, 2500),
    ("time_decay", {"half_life_days": 7}, 3333.33, 6666.67), ("time_decay", {"dialect": "hubspot"}, 3333.33, 6666.67),
    ("w_shaped", {}, 3333.33, 6666.67), ("full_path", {}, 2500, 7500),
])
def test_share_credit_shares_the_ten_thousand_euros_as_published(ten_thousand, model, options, ad, guide):
    credit = share_credit(ten_thousand, model, **options)
    assert credit.set_index("campaign_id")["credit"].to_dict() == {"LinkedIn ad": ad, "Guide": guide}
    assert credit["model"].tolist() == [model, model]


def test_naive_table_makes_twenty_thousand_out_of_ten(ten_thousand):
    naive = ten_thousand.groupby("campaign_id")["value"].sum()
    assert naive.to_dict() == {"LinkedIn ad": 10000.0, "Guide": 10000.0}
    assert naive.sum() == 20000 and share_credit(ten_thousand)["credit"].sum() == 10000


def test_compare_models_sets_the_ten_thousand_euros_side_by_side(ten_thousand):
    table = compare_models(ten_thousand)
    assert table["model"].drop_duplicates().tolist() == NAMED
    ad = table[table["campaign_id"] == "LinkedIn ad"].set_index("model")["credit"]
    assert ad.drop("time_decay").to_dict() == {
        "first_touch": 10000.0, "last_touch": 0.0, "linear": 5000.0, "u_shaped": 5000.0, "w_shaped": 3333.33,
        "full_path": 2500.0, "j_shaped": 2500.0, "inverse_j": 7500.0, "shapley": 5000.0}
    assert (table["n_conversions"] == 1).all()
    assert (table.groupby("model")["credit"].sum() == 10000).all()


def test_share_credit_shapes_every_row(ten_thousand):
    credit = share_credit(ten_thousand, "j_shaped")
    assert credit.columns.tolist() == ["model", "conversion_id", "touch_id", "campaign_id", "weight", "credit",
                                       "position", "is_before_opportunity"]
    assert credit[["conversion_id", "touch_id", "weight", "position"]].values.tolist() == [
        ["deal", "t1", 0.25, 1], ["deal", "t2", 0.75, 2]]
    assert credit["is_before_opportunity"].tolist() == [True, True]


@pytest.mark.parametrize(("value", "n", "expected"), [
    (100, 3, [33.34, 33.33, 33.33]), (0.02, 3, [0.01, 0.01, 0.0]), (-100, 3, [-33.34, -33.33, -33.33]),
    (0, 2, [0.0, 0.0]), (0.01, 1, [0.01]), (1.9, 2, [0.95, 0.95]), (-0.01, 2, [-0.01, 0.0]),
])
def test_share_credit_gives_leftover_cents_to_the_earlier_touch(value, n, expected):
    assert credits(deal_of(value, ["Web"] * n)) == expected


def test_share_credit_gives_leftover_cents_to_the_largest_remainder_first():
    # EUR 0.10 by 3 : 3 : 1 is 4.29, 4.29 and 1.43 cents: the one leftover cent is the third's.
    assert credits(deal_of(0.1, ["A", "B", "C"]), lambda journeys: np.array([3, 3, 1])) == [0.04, 0.04, 0.02]


def test_share_credit_takes_remainders_as_equal_that_differ_by_a_floats_last_bit():
    # EUR 0.45 by 7 : 3 is 31.5 and 13.5 cents, but 0.7 * 45 is 31.499999999999996 to a computer.
    assert credits(deal_of(0.45, ["A", "B"]), lambda journeys: np.array([7, 3])) == [0.32, 0.13]


def test_credit_by_campaign_decays_from_the_last_touch_so_that_old_journeys_keep_their_shares():
    touches = pd.DataFrame({"touch_id": ["t1", "t2"], "person_id": "Ann", "account_id": "Acme",
                            "campaign_id": ["A", "B"], "touched_at": moments("1900-01-01", "1900-01-08")})
    deal = pd.DataFrame({"conversion_id": ["d"], "account_id": "Acme", "person_id": None, "value": 100.0,
                         "converted_at": moments("2026-01-01")})
    weekly = {"weekly": partial(time_decay, half_life_days=7)}
    table = credit_by_campaign(touches, deal, weekly, lookback_days=None)
    assert table["credit"].tolist() == [33.33, 66.67]
    pd.testing.assert_frame_equal(compare_models(build_journeys(touches, deal, lookback_days=None), weekly), table)


def test_share_credit_splits_the_largest_value_it_takes_to_the_cent():
    credit = share_credit(deal_of(87_960_930_222.07, ["Web"] * 700), "time_decay", half_life_days=1e6)["credit"]
    assert round(credit * 100).sum() == 8_796_093_022_207


def test_share_credit_rounds_a_value_to_whole_cents_once():
    assert sum(round(part * 100) for part in credits(deal_of(10.006, ["A", "B", "C"]))) == 1001


def test_share_credit_leaves_an_untouched_deal_whole_and_to_nobody(ten_thousand):
    other = deal_of(70.07, ["Web"], conversion_id="cold", account_id="Bolt")
    credit = share_credit(pd.concat([ten_thousand, other]), "linear").set_index("conversion_id")
    assert credit.loc["cold", ["credit", "weight"]].tolist() == [70.07, 1.0]
    assert credit.loc["cold", ["touch_id", "campaign_id"]].isna().all()
    assert credit.loc["deal", "credit"].tolist() == [5000.0, 5000.0]


def test_share_credit_credits_every_repeat_of_a_campaign():
    credit = share_credit(deal_of(100, ["A", "A", "A", "B"]))
    assert credit.groupby("campaign_id")["credit"].sum().to_dict() == {"A": 75.0, "B": 25.0}


def test_share_credit_takes_names_as_they_are():
    assert share_credit(deal_of(10, ["Ads > Brand", "Ads"]), "first_touch").groupby("campaign_id")["credit"].sum(
        ).to_dict() == {"Ads > Brand": 10.0, "Ads": 0.0}


def test_share_credit_does_not_depend_on_what_a_campaign_is_called():
    shares = {name: credits(deal_of(100, [name, "M", "N", "O", "P"]), "linear") for name in ("A", "Z")}
    assert shares["A"] == shares["Z"] == [20.0] * 5


def test_share_credit_takes_the_journeys_rows_in_any_order(ten_thousand):
    both = pd.concat([ten_thousand, deal_of(70.07, ["A", "B", "C"], conversion_id="e")], ignore_index=True)
    expected = share_credit(both.iloc[[0, 1, 2, 3, 4]], "u_shaped")
    assert expected["conversion_id"].tolist() == ["deal", "deal", "e", "e", "e"]
    for rows in ([4, 1, 3, 0, 2], [2, 3, 4, 0, 1]):
        pd.testing.assert_frame_equal(share_credit(both.iloc[rows], "u_shaped"), expected)


@pytest.mark.parametrize("rows", [[0], [1], [0, 1, 1]])
def test_share_credit_refuses_journeys_that_lack_or_repeat_rows(ten_thousand, rows):
    with pytest.raises(TableError, match=r"journeys: rows are missing or repeated in 1 conversions \(first: deal\)"):
        share_credit(ten_thousand.iloc[rows])


def test_share_credit_names_the_column_that_is_missing(ten_thousand):
    with pytest.raises(TableError, match="journeys: there is no column is_lead_touch"):
        share_credit(ten_thousand.drop(columns="is_lead_touch"))
    with pytest.raises(TableError, match="journeys: there is no column modified_at, by which dialect salesforce"):
        share_credit(ten_thousand.drop(columns="modified_at"), "last_touch", dialect="salesforce")


@pytest.mark.parametrize("raw", [[-1, 2], [np.nan, 1], [np.inf, 1], [0, 0], [1e308, 1e308]])
def test_share_credit_refuses_weights_that_cannot_be_shared_by(ten_thousand, raw):
    def own(journeys):
        return np.array(raw)

    with pytest.raises(ValueError, match=r"model: 'own' gave weights that are negative, not finite or all zero in 1 "
                                         r"journeys \(first: deal\)"):
        share_credit(ten_thousand, own)


def test_share_credit_refuses_a_model_that_miscounts(ten_thousand):
    with pytest.raises(ValueError, match="model: '<lambda>' gave 1 weights for 2 touches"):
        share_credit(ten_thousand, lambda journeys: np.ones(1))


def test_share_credit_refuses_what_it_does_not_know(ten_thousand):
    with pytest.raises(ValueError, match="model: 'lineer' is not one of first_touch, last_touch, linear"):
        share_credit(ten_thousand, "lineer")
    with pytest.raises(ValueError, match="half_life: is not an option of time_decay"):
        share_credit(ten_thousand, "time_decay", half_life=7)


@pytest.mark.parametrize("to_frame", [pa.Table.from_pandas, pl.from_pandas,
                                      lambda table: duckdb.from_arrow(pa.Table.from_pandas(table))])
def test_share_credit_says_the_same_from_any_frame(ten_thousand, to_frame):
    both = pd.concat([ten_thousand, deal_of(70.07, ["Web"], conversion_id="cold", account_id=None)], ignore_index=True)
    pd.testing.assert_frame_equal(share_credit(to_frame(both), "full_path"), share_credit(both, "full_path"))


def test_compare_models_takes_models_by_name_or_by_a_name_of_ones_own(ten_thousand):
    assert compare_models(ten_thousand, ["last_touch"]).values.tolist() == [
        ["last_touch", "Guide", 10000.0, 1], ["last_touch", "LinkedIn ad", 0.0, 1]]
    own = compare_models(ten_thousand, {"weekly": partial(time_decay, half_life_days=7), "even": "linear"})
    assert own.values.tolist() == [["weekly", "Guide", 6666.67, 1], ["weekly", "LinkedIn ad", 3333.33, 1],
                                   ["even", "Guide", 5000.0, 1], ["even", "LinkedIn ad", 5000.0, 1]]
    with pytest.raises(ValueError, match=r"models: give several, as in \['linear'\]"):
        compare_models(ten_thousand, "linear")


def test_compare_models_counts_conversions_once_and_ends_with_the_unattributed(ten_thousand):
    more = [deal_of(30, ["Guide", "Guide", "Web"], conversion_id="e"), deal_of(5, [], conversion_id="f")]
    table = compare_models(pd.concat([ten_thousand, *more]), ["linear", "first_touch"])
    assert table["model"].tolist() == ["linear"] * 4 + ["first_touch"] * 4
    assert table["campaign_id"].fillna("-").tolist() == ["Guide", "LinkedIn ad", "Web", "-"] * 2
    assert table["credit"].tolist() == [5020.0, 5000.0, 10.0, 5.0, 30.0, 10000.0, 0.0, 5.0]
    assert table["n_conversions"].tolist() == [2, 1, 1, 1] * 2


def test_credit_by_campaign_adds_beyond_what_a_float_can_count():
    n = 1200                                                             # 1,200 x 8.7e12 cents > 2^53
    touches = pd.DataFrame({"touch_id": ["t"], "person_id": "Ann", "account_id": "Acme", "campaign_id": "Web",
                            "touched_at": moments("2026-03-01")})
    deals = pd.DataFrame({"conversion_id": [f"d{i}" for i in range(n)], "account_id": "Acme", "person_id": None,
                          "value": 87_000_000_000.01, "converted_at": pd.Timestamp("2026-03-02", tz="UTC")})
    credit = credit_by_campaign(touches, deals, ["linear"])["credit"]
    assert credit.tolist() == [n * 8_700_000_000_001 / 100]


def test_explain_says_touch_by_touch_why_a_campaign_got_its_share(ten_thousand):
    table = explain(ten_thousand, "deal", "w_shaped")
    assert table.columns.tolist() == ["position", "touch_id", "campaign_id", "person_id", "touched_at", "days_before",
                                      "raw_weight", "weight", "credit", "reason"]
    assert table[["campaign_id", "raw_weight", "credit", "reason"]].values.tolist() == [
        ["LinkedIn ad", 30.0, 3333.33, "first touch 30, of 90 present"],
        ["Guide", 60.0, 6666.67, "lead creation 30 + opportunity creation 30, of 90 present"]]


def test_explain_gives_the_numbers_of_share_credit(ten_thousand):
    both = pd.concat([deal_of(70.07, ["A", "B", "C"], conversion_id="e"), ten_thousand], ignore_index=True)
    credit = share_credit(both, "time_decay", half_life_days=3)
    table = explain(both, "e", "time_decay", half_life_days=3)
    assert table[["weight", "credit"]].values.tolist() == credit.loc[
        credit["conversion_id"] == "e", ["weight", "credit"]].values.tolist()
    assert table["reason"][0] == "2 days before the last touch, half-life 3 days"


def test_explain_says_that_a_deal_has_no_touch():
    table = explain(deal_of(5, []), "d", "time_decay")
    assert table[["credit", "reason"]].values.tolist() == [[5.0, "no touch within the look-back: unattributed"]]


def test_explain_refuses_a_conversion_it_does_not_know(ten_thousand):
    with pytest.raises(ValueError, match="conversion_id: '006X' is not in journeys"):
        explain(ten_thousand, "006X")


def options_of(model, dialect):
    places = dict(zip(("first", "lead", "opportunity", "last", "rest"), oracle.PLACES.get((model, dialect), ()),
                      strict=False))
    return {"dialect": dialect} | (places if model == "position_based" else {})


def rows_of(credit):
    plain = credit[["conversion_id", "touch_id", "campaign_id"]].astype(object).where(credit.notna(), None)
    return [*zip(*(plain[column] for column in plain), (credit["credit"] * 100).round().astype(int), strict=True)]


@settings(max_examples=20, deadline=None, derandomize=True)
@given(companies(), st.sampled_from(LINKINGS), st.sampled_from([2, 211, 365, None]))
def test_share_credit_agrees_with_plain_loops_for_every_model_and_dialect(company, linking, lookback_days):
    options = {"linking": linking, "lookback_days": lookback_days}
    journeys = build_journeys(*tables(company), **options, time_zone=HELSINKI)
    for model, dialect in oracle.CASES:
        expected = oracle.credit(company, model, dialect, **options, zone=HELSINKI)
        assert rows_of(share_credit(journeys, model, **options_of(model, dialect))) == expected


@settings(max_examples=10, deadline=None, derandomize=True)
@given(companies(), st.sampled_from(LINKINGS))
def test_share_credit_sums_to_every_conversions_value_for_every_model_and_dialect(company, linking):
    journeys = build_journeys(*tables(company), linking=linking)
    values = {row["conversion_id"]: row["cents"] for row in company["conversions"]}
    for model, dialect in oracle.CASES:
        credit = share_credit(journeys, model, **options_of(model, dialect))
        cents = (credit["credit"] * 100).round().astype("int64").groupby(credit["conversion_id"]).sum()
        assert cents.to_dict() == values
        assert np.allclose(credit.groupby("conversion_id")["weight"].sum(), 1, rtol=1e-12)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(companies(), st.randoms(use_true_random=False))
def test_credit_by_campaign_says_the_same_whatever_the_order_of_rows(company, random):
    shuffled = {name: random.sample(rows, len(rows)) for name, rows in company.items()}
    (touches, conversions, roles), (mixed, deals, contact_roles) = tables(company), tables(shuffled)
    pd.testing.assert_frame_equal(credit_by_campaign(mixed, deals, None, contact_roles),
                                  credit_by_campaign(touches, conversions, None, roles))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(companies(), st.sampled_from(LINKINGS), st.integers(1, 9))
def test_credit_by_campaign_equals_the_tables_sums_to_the_cent(company, linking, rows):
    touches, conversions, roles = tables(company)
    journeys = build_journeys(touches, conversions, roles, linking=linking)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credit_module, "chunk_ends", partial(chunk_ends, rows=rows))
        streamed = credit_by_campaign(touches, conversions, None, roles, linking=linking)
        pd.testing.assert_frame_equal(compare_models(journeys), streamed)
    for model in NAMED:
        credit = share_credit(journeys, model)
        cents = (credit["credit"] * 100).round().groupby(credit["campaign_id"].fillna("-")).sum()
        said = streamed[streamed["model"] == model].fillna({"campaign_id": "-"}).set_index("campaign_id")["credit"]
        assert (said * 100).round().to_dict() == cents.to_dict()


@settings(max_examples=10, deadline=None, derandomize=True)
@given(companies(), st.sampled_from(LINKINGS))
def test_touches_after_the_last_conversion_change_nothing(company, linking):
    end = max(row["converted_at"] for row in company["conversions"])
    before = company | {"touches": [row for row in company["touches"] if row["touched_at"] <= end]}
    journeys, expected = (build_journeys(*tables(each), linking=linking) for each in (company, before))
    for model in NAMED:
        pd.testing.assert_frame_equal(share_credit(journeys, model), share_credit(expected, model))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(companies(), st.sampled_from(LINKINGS))
def test_a_campaign_that_touched_nobody_who_bought_changes_nobody_else(company, linking):
    stranger = {"touch_id": "x", "person_id": "Eve", "account_id": "Elsewhere", "campaign_id": "700",
                "kind": "response", "touched_at": company["conversions"][0]["converted_at"], "joined_at": None,
                "modified_at": None}
    (touches, conversions, roles), (more, _, _) = (tables(company | {"touches": rows}) for rows in (
        company["touches"], [stranger, *company["touches"]]))
    pd.testing.assert_frame_equal(credit_by_campaign(more, conversions, None, roles, linking=linking),
                                  credit_by_campaign(touches, conversions, None, roles, linking=linking))


def test_one_account_with_many_touches_and_deals_costs_no_join():
    n = 20_000
    touches = pd.DataFrame({"touch_id": [f"t{i}" for i in range(n)], "person_id": "Ann", "account_id": "Acme",
                            "campaign_id": [f"c{i % 7}" for i in range(n)],
                            "touched_at": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(n), "min")})
    deals = pd.DataFrame({"conversion_id": [f"d{i:03}" for i in range(200)], "account_id": "Acme", "person_id": None,
                          "value": 1000.01,
                          "converted_at": pd.Timestamp("2026-01-02", tz="UTC") + pd.to_timedelta(np.arange(200), "h")})
    table = credit_by_campaign(touches, deals, ["linear", "time_decay"], lookback_days=1)
    assert table.groupby("model")["credit"].sum().round(2).to_dict() == {"linear": 200002.0, "time_decay": 200002.0}
    assert (table["n_conversions"] == 200).all() and len(table) == 14


def test_credit_by_position_is_the_ordered_shapley_value():
    # Zhao, Mahboobi & Bagheri 2018: a journey's worth, equally to its distinct campaigns, each one's over its places.
    journeys = pd.concat([deal_of(60, ["A", "B", "A"], conversion_id=["d"]), deal_of(40, ["B"], conversion_id=["e"])])
    by_position = credit_by_position(share_credit(journeys, "shapley"))
    assert by_position.to_numpy().tolist() == [["A", 1, 15.0], ["A", 3, 15.0], ["B", 1, 40.0], ["B", 2, 30.0]]


def test_compare_models_takes_functions_under_names_of_ones_own():
    journeys = deal_of(90, ["A", "B"], days_apart=30)
    compared = compare_models(journeys, {"30 days": partial(time_decay, half_life_days=30),
                                         "15 days": partial(time_decay, half_life_days=15)})
    assert compared[["model", "campaign_id", "credit"]].to_numpy().tolist() == [
        ["30 days", "A", 30.0], ["30 days", "B", 60.0], ["15 days", "A", 18.0], ["15 days", "B", 72.0]]
