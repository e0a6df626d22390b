"""What marketing delivered is held against its promise, and the rest of the period forecast: by hand-counted days."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hand_overs import AS_OF, HELSINKI, MARKETING, SALES, VALUES, entries_of, utc

from attribution.agreement import Agreement
from attribution.promises import burn_up, find_promise, forecast_rest, promise_progress

NOVEMBER = {"first_day": pd.Timestamp("2026-11-01"), "last_day": pd.Timestamp("2026-11-30")}
MID = utc("2026-11-13 21:59:59.999999")          # Friday the 13th, ten of November's 21 business days


def test_promise_is_the_first_of_its_side():
    assert find_promise(HELSINKI, "sales") is SALES
    assert find_promise(HELSINKI, "marketing") is MARKETING


@pytest.mark.parametrize("by, what", [("sales", "within_hours"), ("marketing", "n")])
def test_promise_that_is_not_there_says_what_to_write(by, what):
    with pytest.raises(ValueError, match=f"^agreement.toml: there is no promise by {by}. Add .* and {what}$"):
        find_promise(Agreement(), by)


def steady(*days):
    """One person's first entry into mql on each day given, at noon."""
    return entries_of(*((f"p{i}", "mql", f"{day}T12:00Z") for i, day in enumerate(days)))


def progress_of(entries, as_of=MID, values=VALUES, promise=MARKETING, agreement=HELSINKI, **days):
    table = promise_progress(entries, agreement, promise, values, as_of=as_of, **NOVEMBER | days)
    return table.set_index("measure")


def test_progress_counts_first_entries_in_the_local_period():
    entries = pd.concat([entries_of(
        ("a", "mql", "2026-10-31T21:59:59Z"), ("b", "mql", "2026-10-31T22:00Z"), ("c", "mql", "2026-11-13T21:59Z"),
        ("e", "mql", "2026-11-13T22:00Z"), ("a", "mql", "2026-11-05"), ("f", "sql", "2026-11-05"),
        ("g", "mql", "2026-11-05", None, None, {"is_imputed": True}))])
    count = progress_of(entries).loc["count"]
    assert count[["delivered", "n_again", "promised"]].tolist() == [3, 1, 40]
    assert count["promised_to_date"] == pytest.approx(40 * 10 / 21)
    assert count["delivered_share"] == pytest.approx(3 / (40 * 10 / 21))
    assert progress_of(entries).loc["value", ["delivered", "promised", "n_again"]].tolist() == [301.5, 4000.0, 1]


@pytest.mark.parametrize("per, days, promised", [
    ("month", {}, 40), ("quarter", {}, 40 / 3), ("year", {}, 40 / 12),
    ("month", {"first_day": pd.Timestamp("2026-10-01"), "last_day": pd.Timestamp("2026-12-31")}, 120),
    ("quarter", {"first_day": pd.Timestamp("2026-12-01"), "last_day": pd.Timestamp("2027-11-30")}, 160)])
def test_progress_promises_for_as_many_months(per, days, promised):
    row = progress_of(steady(), promise=dataclasses.replace(MARKETING, per=per), **days).loc["count"]
    assert row["promised"] == pytest.approx(promised)


@pytest.mark.parametrize("n_weeks, n_known", [(26, 25), (3, 2), (40, 26)])       # whole weeks
def test_progress_forecasts_the_rest_from_the_weeks_before(n_weeks, n_known):
    # two every week, and five before the last 26: 2 x 17/7 more are to come, variance 2 x 17/7 + 2 x (17/7)^2 / weeks
    days = [MID - pd.Timedelta(days=7 * week + 6.9) for week in range(n_weeks) for _ in range(2 if week < 26 else 5)]
    again = entries_of(("p0", "mql", "2026-11-13T12:00Z")).assign(n_entry=2)
    row = progress_of(pd.concat([entries_of(*((f"p{i}", "mql", str(day)) for i, day in enumerate(days))), again])
                      ).loc["count"]
    from scipy.stats import nbinom
    mean, weeks = 34 / 7, 17 / 7
    variance = mean + 2 * weeks ** 2 / n_known
    size, p = mean ** 2 / (variance - mean), mean / variance
    assert row[["delivered", "n_again"]].tolist() == [2, 1]
    assert row["forecast"] == pytest.approx(2 + mean, abs=0.005)
    assert row[["forecast_low", "forecast_high"]].tolist() == (2 + nbinom.ppf([0.025, 0.975], size, p)).tolist()
    assert (nbinom.mean(size, p), nbinom.var(size, p)) == pytest.approx((mean, variance))


def test_progress_with_no_time_left_is_what_was_delivered():
    for as_of in (AS_OF, AS_OF + pd.Timedelta(days=9)):
        row = progress_of(steady("2026-11-05", "2026-11-06"), as_of=as_of).loc["count"]
        assert row[["delivered", "forecast", "forecast_low", "forecast_high"]].tolist() == [2, 2, 2, 2]
        assert row["promised_to_date"] == 40


def test_progress_before_the_period_owes_nothing_and_forecasts_all_of_it():
    before = utc("2026-10-25 22:00")
    row = progress_of(steady(*["2026-10-20"] * 6, "2026-10-04"), as_of=before).loc["count"]
    assert row[["delivered", "promised_to_date"]].tolist() == [0, 0] and np.isnan(row["delivered_share"])
    assert row["forecast"] == pytest.approx(6 / 3 * 30 / 7, abs=0.005)       # three whole weeks are known


def test_progress_forecasts_nothing_where_nobody_ever_came():
    table = progress_of(steady())
    assert table.loc["count", ["delivered", "forecast", "forecast_low", "forecast_high"]].tolist() == [0, 0, 0, 0]
    assert progress_of(steady(), values=VALUES.head(1)).loc["value", ["delivered", "forecast"]].isna().all()
    without = progress_of(steady(), promise=dataclasses.replace(MARKETING, value=None)).loc["value"]
    assert np.isnan(without["promised"]) and np.isnan(without["delivered_share"])


def test_progress_is_wider_where_weeks_differ():
    def width(weeks):
        days = [MID - pd.Timedelta(days=7 * week + 3) for week in weeks]
        return np.ptp(progress_of(steady(*(str(day.date()) for day in days))).loc[
            "count", ["forecast_low", "forecast_high"]].to_numpy(float))
    even, lumpy = [*range(26), *range(26)], [*[0, 8, 16] * 17, 25]
    assert len(even) == len(lumpy)
    assert width(lumpy) > 1.5 * width(even)


def test_progress_changes_with_nothing_after_as_of():
    entries = steady("2026-11-02", "2026-11-04", "2026-11-20")
    pd.testing.assert_frame_equal(progress_of(entries), progress_of(entries.head(2)))
    pd.testing.assert_frame_equal(progress_of(entries.iloc[::-1]), progress_of(entries))


def test_forecast_covers_what_comes_19_times_in_20():
    rng, ahead = np.random.default_rng(7), 3.0
    drawn = rng.poisson(rng.gamma(3.0, 2.0, (2000, 29)))
    bounds = [forecast_rest(counts[:26], np.array([ahead]))[1:, 0] for counts in drawn]
    came = drawn[:, 26:].sum(axis=1)
    held = [low <= n <= high for (low, high), n in zip(bounds, came, strict=True)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def burn_up_of(entries, as_of=MID, agreement=HELSINKI):
    return burn_up(entries, agreement, MARKETING, as_of=as_of, **NOVEMBER).set_index("day_on")


def test_burn_up_follows_the_days_and_forecasts_the_rest():
    entries = steady("2026-11-02", "2026-11-02", "2026-11-13", "2026-10-20", "2026-11-20")
    rows = burn_up_of(entries)
    assert rows.index.tolist() == list(pd.date_range("2026-11-01", "2026-11-30"))
    assert rows["delivered"].tolist() == pytest.approx([0] + [2] * 11 + [3] + [np.nan] * 17, nan_ok=True)
    assert rows["promised"].tolist()[:6] == pytest.approx([0, *(40 / 21 * n for n in range(1, 6))])
    assert rows["promised"].iloc[-1] == 40
    ahead = ["forecast", "forecast_low", "forecast_high"]
    assert rows[ahead].notna().all(axis=1).tolist() == [False] * 12 + [True] * 18
    assert rows.loc["2026-11-13", ahead].tolist() == [3, 3, 3]
    last = progress_of(entries).loc["count"]
    assert rows.loc["2026-11-30", ahead].tolist() == pytest.approx(last[ahead].tolist(), abs=0.005)
    assert (rows[ahead].diff().dropna() >= 0).all().all()


def test_burn_up_begins_with_the_period_and_ends_with_it():
    entries = steady("2026-10-20")
    before = burn_up_of(entries, utc("2026-10-25 22:00"))
    assert before["delivered"].isna().all() and before["forecast"].notna().all()
    after = burn_up_of(entries, AS_OF + pd.Timedelta(days=1))
    assert after["delivered"].tolist() == [0] * 30 and after["forecast"].isna().all()
    assert burn_up_of(steady())["delivered"].iloc[0] == 0
