"""The business clock against a minute counter, on weekends, public holidays and the days when clocks change."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attribution.agreement import Agreement, Hours
from attribution.clock import add_business_hours, business_hours, count_business_days

HELSINKI = Agreement(time_zone="Europe/Helsinki")

#: The Finnish church act (kirkkolaki), chapter 4, section 3, names the church's holidays: Midsummer is the Saturday
#: after 19 June, All Saints' the Saturday after 30 October; Easter was 20 April 2025 and is 5 April 2026. May Day and
#: Independence Day have acts of their own; on the eves of Christmas and Midsummer, by the annual holidays act
#: (162/2005), nobody works.
FINNISH = {
    "2025-01-01", "2025-01-06", "2025-04-18", "2025-04-20", "2025-04-21", "2025-05-01", "2025-05-29", "2025-06-08",
    "2025-06-20", "2025-06-21", "2025-11-01", "2025-12-06", "2025-12-24", "2025-12-25", "2025-12-26",
    "2026-01-01", "2026-01-06", "2026-04-03", "2026-04-05", "2026-04-06", "2026-05-01", "2026-05-14", "2026-05-24",
    "2026-06-19", "2026-06-20", "2026-10-31", "2026-12-06", "2026-12-24", "2026-12-25", "2026-12-26"}


def moments(*texts, zone="Europe/Helsinki"):
    """Read local times; a null stays one."""
    local = pd.Series(pd.to_datetime(list(texts)).astype("datetime64[us]"))
    return local.dt.tz_localize(zone, ambiguous=True).dt.tz_convert("UTC").astype("datetime64[us, UTC]")


def hours_between(start, end, agreement=HELSINKI):
    zone = agreement.time_zone
    return business_hours(moments(start, zone=zone), moments(end, zone=zone), agreement)[0]


def after(start, hours, agreement=HELSINKI):
    """Add business hours to a local time, and write the answer as one."""
    at = add_business_hours(moments(start, zone=agreement.time_zone), hours, agreement)
    return at.dt.tz_convert(agreement.time_zone).dt.strftime("%a %d %b %H:%M")[0]


@pytest.mark.parametrize(("start", "end", "hours"), [
    ("2026-10-30 15:00", "2026-11-02 09:00", 2.0),           # a Friday, the Monday after
    ("2026-10-28 08:00", "2026-10-28 16:00", 8.0),
    ("2026-10-28 05:00", "2026-10-28 23:00", 8.0),
    ("2026-10-28 09:15", "2026-10-28 09:30", 0.25),
    ("2026-10-28 17:00", "2026-10-29 07:00", 0.0),
    ("2026-10-28 10:00", "2026-10-28 10:00", 0.0),
    ("2026-10-29 09:00", "2026-10-28 15:00", -2.0),
    ("2025-12-23 15:00", "2025-12-29 09:00", 2.0),           # over Christmas, from a Tuesday to a Monday
    ("2026-06-18 12:00", "2026-06-22 12:00", 8.0),           # over Midsummer, from a Thursday to a Monday
    ("2026-01-05 12:00", "2026-01-07 12:00", 8.0),           # over Epiphany, a Tuesday
    ("2026-03-27 12:00", "2026-03-30 12:00", 8.0),           # clocks go forward on the Sunday between
    ("2026-10-23 12:00", "2026-10-26 12:00", 8.0),           # and back
])
def test_business_hours_counts_by_hand(start, end, hours):
    assert hours_between(start, end) == hours


@pytest.mark.parametrize(("start", "hours", "end"), [
    ("2026-10-30 15:00", 2, "Mon 02 Nov 09:00"),
    ("2026-10-30 15:00", 1, "Fri 30 Oct 16:00"),             # ends with the day, not on the next morning
    ("2026-10-30 19:00", 1, "Mon 02 Nov 09:00"),
    ("2026-10-31 12:00", 0, "Sat 31 Oct 12:00"),
    ("2026-10-28 11:00", 16, "Fri 30 Oct 11:00"),
    ("2026-12-23 12:00", 8, "Mon 28 Dec 12:00"),             # Thursday and Friday are Christmas
    ("2026-12-31 12:00", 4.5, "Mon 04 Jan 08:30"),           # the answer lies in another year than the question
    ("2026-12-31 12:00", 756 * 8, "Wed 02 Jan 12:00"),       # half a day, the 253 + 251 + 251 of 2027-29, half a day
])
def test_add_business_hours_counts_by_hand(start, hours, end):
    assert after(start, hours) == end


def test_openings_follow_a_clock_that_jumps_over_them_or_comes_to_them_twice():
    # Helsinki: on Sunday 29 March 2026 02:59 is followed by 04:00, on 25 October 03:59 by 03:00
    def sunday(opens, closes):
        return Agreement(time_zone="Europe/Helsinki", hours=Hours((6,), opens, closes))
    forward, back = ("2026-03-29 00:00", "2026-03-30 00:00"), ("2026-10-25 00:00", "2026-10-26 00:00")
    assert hours_between(*forward, sunday("02:00", "05:00")) == 2.0
    assert hours_between(*forward, sunday("03:30", "05:00")) == 1.0       # opens at the jump, 04:00
    assert hours_between(*forward, sunday("02:00", "03:30")) == 1.0       # closes at the jump
    assert hours_between(*forward, sunday("03:10", "03:50")) == 0.0       # a time that this day does not have
    assert hours_between(*back, sunday("02:00", "05:00")) == 4.0
    assert hours_between(*back, sunday("03:30", "05:00")) == 2.5          # opens when the clock first shows 03:30
    assert hours_between(*back, sunday("02:00", "03:30")) == 1.5          # closes when it first shows 03:30
    assert after("2026-03-29 01:00", 0.5, sunday("03:10", "03:50")) == "Sun 12 Apr 03:40"     # after Easter


def test_openings_around_the_clock_lose_and_gain_an_hour():
    always = Agreement(time_zone="Europe/Helsinki", hours=Hours((0, 1, 2, 3, 4, 5, 6), "00:00", "24:00", ""))
    assert hours_between("2026-03-29 00:00", "2026-03-30 00:00", always) == 23.0
    assert hours_between("2026-10-25 00:00", "2026-10-26 00:00", always) == 25.0


def count_minutes(start, end, agreement):
    """Count open minutes one by one: a day's office opens, and closes, when the clock first shows that time or more."""
    zone, hours = ZoneInfo(agreement.time_zone), agreement.hours
    day, is_open, n = None, False, 0
    for minute in pd.date_range(start.floor("D") - pd.Timedelta(days=2), end, freq="min", inclusive="left"):
        local = minute.to_pydatetime().astimezone(zone)
        if local.date() != day:
            day, has_opened, has_closed = local.date(), False, False
            is_business = day.weekday() in hours.days and not (hours.country and str(day) in FINNISH)
        shown = f"{local:%H:%M}"
        has_opened, has_closed = has_opened or shown >= hours.opens, has_closed or shown >= hours.closes
        is_open = is_business and has_opened and not has_closed
        n += is_open and minute >= start
    return n


WINDOWS = {"Christmas": "2025-12-23", "Epiphany": "2026-01-05", "Easter": "2026-04-02", "Midsummer": "2026-06-18",
           "forward": "2026-03-28", "back": "2026-10-24", "America forward": "2026-03-07", "America back": "2026-10-31"}
OFFICES = [Hours(), Hours(country=""), Hours((6,), "02:00", "10:00"), Hours((0, 5, 6), "03:30", "12:00"),
           Hours((0, 1, 6), "01:30", "03:30", ""), Hours((5, 6), "03:10", "03:50"),
           Hours((0, 1, 2, 3, 4, 5, 6), "00:00", "24:00", "")]


@given(st.sampled_from(sorted(WINDOWS.values())), st.integers(0, 4000), st.integers(0, 6000), st.sampled_from(OFFICES),
       st.sampled_from(["Europe/Helsinki", "America/New_York", "America/Havana", "UTC"]))
@example("2026-10-24", 1000, 3000, OFFICES[3], "Europe/Helsinki")
@example("2026-03-28", 1000, 3000, OFFICES[4], "Europe/Helsinki")
@example("2026-03-07", 1000, 3000, OFFICES[6], "America/Havana")
@example("2026-10-31", 1000, 3000, OFFICES[2], "America/New_York")
def test_business_hours_is_what_a_minute_counter_counts(day, offset, length, office, time_zone):
    agreement = Agreement(time_zone=time_zone, hours=office)
    start = pd.Timestamp(day, tz="UTC") + pd.Timedelta(minutes=offset)
    end = start + pd.Timedelta(minutes=length)
    hours = business_hours(pd.Series([start]), pd.Series([end]), agreement)[0]
    assert hours * 60 == pytest.approx(count_minutes(start, end, agreement), abs=1e-6)


@given(st.lists(st.integers(0, 2 * 365 * 24 * 3600), min_size=1, max_size=30), st.floats(0, 200),
       st.sampled_from(OFFICES), st.sampled_from(["Europe/Helsinki", "America/New_York"]))
def test_add_business_hours_is_the_earliest_moment_after_so_many_hours(seconds, hours, office, time_zone):
    agreement = Agreement(time_zone=time_zone, hours=office)
    start = pd.Series(pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(seconds, unit="s")).astype(
        "datetime64[us, UTC]")
    end = add_business_hours(start, hours, agreement)
    microsecond = 1 / 3_600_000_000
    np.testing.assert_allclose(business_hours(start, end, agreement), hours, atol=microsecond, rtol=0)
    earlier = business_hours(start, end - pd.Timedelta(microseconds=1), agreement)
    assert ((earlier < business_hours(start, end, agreement)) | (end == start)).all()


def test_business_hours_keeps_blanks_and_the_index():
    start = moments("2026-10-28 09:00", None, "2026-10-28 09:00").set_axis([7, 3, 3])
    end = moments("2026-10-28 10:00", "2026-10-28 10:00", None).set_axis([7, 3, 3])
    pd.testing.assert_series_equal(business_hours(start, end, HELSINKI), pd.Series([1.0, None, None], [7, 3, 3]))
    pd.testing.assert_series_equal(add_business_hours(start, 1, HELSINKI), moments(
        "2026-10-28 10:00", None, "2026-10-28 10:00").set_axis([7, 3, 3]))


@pytest.mark.parametrize("none", [moments(), moments(None, None)])
def test_business_hours_of_no_moments_is_blank(none):
    hours, at = business_hours(none, none, HELSINKI), add_business_hours(none, 8, HELSINKI)
    assert (str(hours.dtype), str(at.dtype)) == ("float64", "datetime64[us, UTC]")
    assert len(hours) == len(at) == len(none) and hours.isna().all() and at.isna().all()


def test_business_hours_does_not_depend_on_the_other_rows():
    start, end = moments("2026-10-30 15:00", "1990-01-02 00:00"), moments("2026-11-02 09:00", "4200-01-01 00:00")
    assert business_hours(start, end, HELSINKI)[0] == 2.0
    assert add_business_hours(start, 2, HELSINKI)[0] == moments("2026-11-02 09:00")[0]


def test_business_hours_measures_to_the_microsecond():
    start = pd.Series([pd.Timestamp("2026-10-28 12:00:00.000001Z")])
    assert business_hours(start, start + pd.Timedelta(microseconds=3), HELSINKI)[0] * 3.6e9 == pytest.approx(3)


def test_business_hours_knows_the_finnish_holidays_of_two_years():
    every_day = Agreement(hours=Hours(days=tuple(range(7))))
    days = pd.date_range("2025-01-01", "2026-12-31")
    assert {str(day.date()) for day in days if not count_business_days(day, day, every_day)} == FINNISH


def test_business_hours_keeps_the_holidays_of_a_region_or_none():
    # Epiphany is kept in Bavaria and in Finland, not in Berlin; in 2026 it was a Tuesday
    def tuesday(country, region=""):
        hours = Hours((1,), country=country, region=region)
        return count_business_days(*[pd.Timestamp("2026-01-06")] * 2, Agreement(hours=hours))
    assert [tuesday("DE", "BY"), tuesday("DE", "BE"), tuesday("DE"), tuesday("FI"), tuesday("")] == [0, 1, 1, 0, 1]


@pytest.mark.parametrize(("first", "last", "n"), [
    ("2026-10-01", "2026-10-31", 22), ("2026-01-01", "2026-12-31", 252), ("2026-10-31", "2026-10-31", 0),
    ("2026-10-30", "2026-10-30", 1), ("2026-10-30", "2026-11-02", 2), ("2026-11-02", "2026-10-30", 0)])
def test_count_business_days_includes_both_ends(first, last, n):
    # 2026 has 261 weekdays, of which Finland has 9 off: 1 and 6 January, 3 and 6 April, 1 and 14 May, 19 June, 24 and
    # 25 December
    assert count_business_days(pd.Timestamp(first), pd.Timestamp(last), HELSINKI) == n


@pytest.mark.parametrize("hours", [-1, float("nan"), float("inf")])
def test_add_business_hours_refuses_what_is_no_number_of_hours(hours):
    with pytest.raises(ValueError, match="hours: .* is not a number of hours from 0 up"):
        add_business_hours(moments("2026-10-28 09:00"), hours, HELSINKI)
