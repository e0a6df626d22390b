"""The agreement says where a day, a month and a fiscal year begin, and names its stages."""

import pandas as pd
import pytest

from attribution.agreement import STAGES, Agreement, month_days


def days(*texts):
    return pd.Series(pd.to_datetime(list(texts)).astype("datetime64[us]"))


def test_start_and_end_of_day_follow_the_clock_change():
    helsinki = Agreement(time_zone="Europe/Helsinki")
    # clocks go forward on 29 March 2026 (a day of 23 hours) and back on 25 October 2026 (a day of 25)
    both = days("2026-03-29", "2026-10-25")
    lengths = helsinki.end_of(both) - helsinki.start_of(both) + pd.Timedelta(microseconds=1)
    assert lengths.tolist() == [pd.Timedelta(hours=23), pd.Timedelta(hours=25)]
    assert helsinki.start_of(both).tolist() == [pd.Timestamp("2026-03-28T22:00Z"), pd.Timestamp("2026-10-24T21:00Z")]


def test_start_of_takes_the_first_moment_where_midnight_does_not_exist_or_comes_twice():
    # Cuba's clocks went forward at midnight of 8 March 2026, to 01:00, and go back from 01:00 to midnight on 1 November
    cuba = Agreement(time_zone="America/Havana").start_of(days("2026-03-08", "2026-11-01"))
    assert cuba.tolist() == [pd.Timestamp("2026-03-08T05:00Z"), pd.Timestamp("2026-11-01T04:00Z")]


def test_day_of_gives_back_every_day_and_keeps_blanks():
    helsinki, asked = Agreement(time_zone="Europe/Helsinki"), days("2026-01-01", "2026-10-25", None)
    pd.testing.assert_series_equal(helsinki.day_of(helsinki.start_of(asked)), asked)
    pd.testing.assert_series_equal(helsinki.day_of(helsinki.end_of(asked)), asked)
    assert helsinki.local_day(pd.Timestamp("2026-10-31T22:00Z")) == pd.Timestamp("2026-11-01")


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "October", "2026-10-01", "", None, 202610, "2026-10\n"])
def test_month_days_refuses_what_is_no_month(month):
    with pytest.raises(ValueError, match="month: .* is not a month like '2026-10'"):
        month_days(month)


def test_month_end_is_the_last_moment_of_a_leap_february():
    assert Agreement().month_end("2028-02") == pd.Timestamp("2028-02-29T23:59:59.999999Z")


def test_find_stage_names_the_choices():
    assert Agreement().find_stage("mql") == STAGES[1]
    with pytest.raises(ValueError, match="^stage: 'mq' is not one of lead, mql, sql, opportunity, customer$"):
        Agreement().find_stage("mq")


@pytest.mark.parametrize(("starts", "period", "month", "first", "last"), [
    (1, "month", "2028-02", "2028-02-01", "2028-02-29"), (1, "quarter", "2026-03", "2026-01-01", "2026-03-31"),
    (1, "quarter", "2026-10", "2026-10-01", "2026-12-31"), (1, "year", "2026-12", "2026-01-01", "2026-12-31"),
    (2, "quarter", "2026-01", "2025-11-01", "2026-01-31"), (2, "year", "2026-01", "2025-02-01", "2026-01-31"),
    (2, "year", "2026-02", "2026-02-01", "2027-01-31"), (12, "quarter", "2026-02", "2025-12-01", "2026-02-28"),
    (7, "month", "2026-10", "2026-10-01", "2026-10-31"), (7, "year", "2199-10", "2199-07-01", "2200-06-30")])
def test_period_days_follow_the_fiscal_year(starts, period, month, first, last):
    asked = Agreement(fiscal_year_starts=starts).period_days(period, month)
    assert asked == (pd.Timestamp(first), pd.Timestamp(last))
    assert {day.unit for day in asked} == {"us"}


def test_period_days_refuses_what_is_no_period_or_month():
    with pytest.raises(ValueError, match="^period: 'week' is not one of month, quarter, year$"):
        Agreement().period_days("week", "2026-10")
    with pytest.raises(ValueError, match="^month: 'October' is not a month like '2026-10'"):
        Agreement().period_days("month", "October")


def test_fiscal_year_is_named_for_the_year_in_which_it_ends():
    years = [Agreement(fiscal_year_starts=start).fiscal_year("2026-06") for start in (1, 6, 7)]
    assert years == ["2026", "2027", "2026"]
