"""Words and numbers in the reader's language."""

from datetime import date, datetime

import pytest

from attribution.language import (
    _,
    count,
    day,
    in_month,
    moment,
    money,
    month,
    month_name,
    number,
    percent,
    separators,
    spoken,
    times,
    use_language,
)


def test_numbers_money_and_dates_are_written_as_finnish_does(finnish):
    assert spoken() == "fi"
    assert [number(-1234.5, 1), money(1234567.2, "EUR"), money(-3, "SEK"), percent(0.123), times(4.0)] == [
        "−1\xa0234,5", "1\xa0234\xa0567\xa0€", "−3\xa0SEK", "12\xa0%", "+400\xa0%"]
    assert [day(date(2026, 10, 3)), moment(datetime(2026, 1, 2, 3, 4))] == ["3.10.2026", "2.1.2026 3.04"]


def test_words_follow_the_number_in_finnish(finnish):
    assert [count(1, "deal"), count(1200, "deal"), _("yes")] == ["1 kauppa", "1\xa0200 kauppaa", "kyllä"]


def test_what_is_not_known_is_a_dash():
    nan = float("nan")
    assert [money(nan, "EUR"), percent(nan), times(nan), number(nan)] == ["–"] * 4


def test_a_word_without_translation_stays_as_it_is(finnish):
    assert (_("no such word"), _("")) == ("no such word", "")


def test_use_language_names_the_languages_there_are():
    with pytest.raises(ValueError, match="^language: 'sv' is not one of en, fi$"):
        use_language("sv")
    assert spoken() == "en"


def test_months_are_inflected_in_finnish(finnish):
    assert [month("2026-10"), in_month("2026-10"), month_name("2026-01")] == [
        "10/2026", "lokakuussa 2026", "tammikuu 2026"]


def test_months_and_marks_in_english():
    assert [month("2026-10"), in_month("2026-10"), month_name("2026-01")] == ["2026-10", "in 2026-10", "January 2026"]
    assert separators() == ".,"


def test_marks_of_numbers_in_finnish(finnish):
    assert separators() == ",\xa0"
