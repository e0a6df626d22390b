"""The language of everything a reader sees: words from gettext's catalogues, numbers, money and dates by Babel."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO

#: Each language, and how it writes a day and a moment; what a number looks like is Babel's.
LANGUAGES = {"en": ("yyyy-MM-dd", "yyyy-MM-dd HH:mm"), "fi": ("d.M.yyyy", "d.M.yyyy H.mm")}

#: How each language writes a month: short, as the time of what happened in it, and in full.
_MONTHS = {"en": ("yyyy-MM", "'in' yyyy-MM", "MMMM y"), "fi": ("M/y", "LLLL'ssa' y", "LLLL y")}

_spoken = "en"


def use_language(language: str) -> str:
    """Speak a language from here on, in this process.

    Returns the language. Raises ValueError when it is not one of LANGUAGES.
    """
    global _spoken
    if language not in LANGUAGES:
        raise ValueError(f"language: {language!r} is not one of {', '.join(LANGUAGES)}")
    _spoken = language
    return language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language for a while."""
    before = spoken()
    use_language(language)
    try:
        yield
    finally:
        use_language(before)


def spoken() -> str:
    """Give the language that is spoken now."""
    return _spoken


def _(text: str) -> str:
    """Give a text in the language that is spoken; placeholders such as {n} are the caller's to fill."""
    return _catalogue(_spoken).gettext(text) if text else text


def in_number(one: str, many: str, n: float) -> str:
    """Give the text for one thing or for several, in the language that is spoken."""
    return _catalogue(_spoken).ngettext(one, many, 1 if n == 1 else 2)


def marked(text: str) -> str:
    """Mark a text of a module's own, to be given in the reader's language where it is used."""
    return text


@cache
def _catalogue(language: str) -> NullTranslations:
    """Read a language's catalogues; they are compiled here, so that none can be older than its words."""
    if language == "en":
        return NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    said = NullTranslations()
    for path in sorted((files("attribution") / "locale" / language).iterdir(), key=lambda path: path.name):
        compiled = BytesIO()
        write_mo(compiled, read_po(BytesIO(path.read_bytes()), locale=language))
        compiled.seek(0)
        part = GNUTranslations(compiled)
        part.add_fallback(said)
        said = part
    return said


def _is_blank(value: float) -> bool:
    from pandas import isna  # here, so that the command line need not wait for it
    return isna(value)


def money(value: float, currency: str) -> str:
    r"""Write money in whole units of the currency.

    >>> money(1234567.89, "EUR"), money(-3.0, "SEK")
    ('€1,234,568', '−SEK\xa03')
    """
    from babel.numbers import format_currency, get_currency_symbol
    if _is_blank(value):
        return "–"
    apart = "\xa0" * get_currency_symbol(currency, _spoken)[-1:].isalpha()
    pattern = {"en": f"¤{apart}#,##0", "fi": "#,##0\xa0¤"}[_spoken]
    return _signed(format_currency(round(float(value)), currency, pattern, _spoken, currency_digits=False))


def percent(share: float) -> str:
    r"""Write a share of 0-1 in percent.

    >>> percent(0.123)
    '12\xa0%'
    """
    return "–" if _is_blank(share) else number(share * 100, 0) + "\xa0%"


def times(ratio: float) -> str:
    r"""Write a return such as ROI in percent, with its sign.

    >>> times(4.0), times(-0.25)
    ('+400\xa0%', '−25\xa0%')
    """
    return "–" if _is_blank(ratio) else ("+" if round(ratio * 100) > 0 else "") + percent(ratio)


def number(value: float, digits: int = 0) -> str:
    """Write a number with so many decimals.

    >>> number(1234.56), number(1234.56, 1), number(-0.5, 2)
    ('1,235', '1,234.6', '−0.50')
    """
    from babel.numbers import format_decimal
    if _is_blank(value):
        return "–"
    rounded = round(float(value), digits) + 0.0
    return _signed(format_decimal(rounded, "#,##0" + ("." + "0" * digits) * bool(digits), _spoken))


def plain(value: float) -> str:
    """Write a number with the decimals that it has, two at the most.

    >>> plain(16.0), plain(0.25), plain(1.5)
    ('16', '0.25', '1.5')
    """
    return number(value, next((digits for digits in (0, 1) if round(value, digits) == value), 2))


def _signed(text: str) -> str:
    return text.replace("-", "−")


def count(n: float, one: str, many: str = "") -> str:
    """Write a number of things.

    >>> count(1, "deal"), count(1200, "person", "people")
    ('1 deal', '1,200 people')
    """
    return f"{number(n)} {in_number(one, many or one + 's', n)}"


def day(when: date) -> str:
    """Write a day.

    >>> day(date(2026, 10, 31))
    '2026-10-31'
    """
    from babel.dates import format_date
    return format_date(when, LANGUAGES[_spoken][0], _spoken)


def moment(when: datetime) -> str:
    """Write a moment, to the minute, as its clock shows it.

    >>> moment(datetime(2026, 10, 31, 14, 5))
    '2026-10-31 14:05'
    """
    from babel.dates import format_datetime
    return format_datetime(when.replace(tzinfo=None), LANGUAGES[_spoken][1], locale=_spoken)


def month(which: str) -> str:
    """Write a month such as 2026-10, short.

    >>> month("2026-10")
    '2026-10'
    """
    return _month(which, 0)


def in_month(which: str) -> str:
    """Say that something was in a month such as 2026-10.

    >>> in_month("2026-10")
    'in 2026-10'
    """
    return _month(which, 1)


def month_name(which: str) -> str:
    """Name a month such as 2026-10 in full.

    >>> month_name("2026-10")
    'October 2026'
    """
    return _month(which, 2)


def _month(which: str, form: int) -> str:
    from babel.dates import format_date
    return format_date(date.fromisoformat(f"{which}-01"), _MONTHS[_spoken][form], _spoken)


def separators() -> str:
    """Give the marks of decimals and of thousands, as plotly takes them.

    >>> separators()
    '.,'
    """
    from babel.numbers import get_decimal_symbol, get_group_symbol
    return get_decimal_symbol(_spoken) + get_group_symbol(_spoken)
