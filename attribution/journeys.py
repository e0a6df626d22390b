"""The kernel: touches sorted once, each conversion's journey a slice of that order.

The key is what links a touch to a conversion: the person, the account, or, by contact role, the deal itself. No join is
made: a conversion's journey is found by two binary searches, whatever the number of its account's touches and deals.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from numbers import Real
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from attribution.agreement import Agreement
from attribution.funnel import LINKINGS, check_linking
from attribution.tables import UTC, TableError, as_pandas, first_keys

MAX_CENTS = 2**43                                    # so that 2^-20 cents fit a 64-bit integer
CHUNK_ROWS = 65_536                                  # fits the processor's cache
DAY_MICROSECONDS = 86_400_000_000
FLAGS = ("is_lead_touch", "is_opportunity_touch", "is_before_opportunity")
_KINDS = ("response", "membership")
_TOUCH = ("touch_id", "campaign_id", "person_id", "touched_at")
_MEMBERSHIP = ("joined_at", "modified_at")
_BEFORE_ALL = -(2**62)                               # microseconds
_LONGEST_LOOKBACK = 365 * 300                        # days; pandas' moments reach back to 1677
_UNTOUCHED = {"position": 0, "n_touches": 0, "days_before": np.nan, "is_lead_touch": False,
              "is_opportunity_touch": False, "is_before_opportunity": False}
_MILESTONES = ("lead_created_at", "lead_person_id", "opportunity_created_at")


@dataclass(frozen=True)
class JourneyArrays:
    """Whole journeys as flat arrays, an element per touch, in order of position: what a model is given."""

    conversion: np.ndarray                           # number of the conversion, rising
    position: np.ndarray                             # 1..n_touches
    n_touches: np.ndarray
    campaign: np.ndarray | None = None               # integer code
    age_days: np.ndarray | None = None               # before the journey's last touch
    days_before: np.ndarray | None = None            # before the conversion
    is_lead_touch: np.ndarray | None = None
    is_opportunity_touch: np.ndarray | None = None
    is_before_opportunity: np.ndarray | None = None
    joined_at: np.ndarray | None = None              # microseconds; None where the touches do not have it
    modified_at: np.ndarray | None = None

    def journey_sum(self, values: np.ndarray) -> np.ndarray:
        """Sum values over each journey, and give every touch its journey's sum.

        >>> two = JourneyArrays(np.array([0, 0, 1]), np.array([1, 2, 1]), np.array([2, 2, 1]))
        >>> two.journey_sum(np.array([1, 2, 5])).tolist()
        [3, 3, 5]
        """
        starts = np.flatnonzero(self.position == 1)
        return np.repeat(np.add.reduceat(values, starts), self.n_touches[starts])

    def part(self, rows: slice | np.ndarray) -> "JourneyArrays":
        """Give some of the touches, whole journeys of them."""
        named = {about.name: getattr(self, about.name) for about in fields(self)}
        return JourneyArrays(**{name: array[rows] for name, array in named.items() if array is not None})


@dataclass(frozen=True)
class Slices:
    """Every journey as a slice [low, high) of the touches in order of key and time."""

    touches: pd.DataFrame
    conversions: pd.DataFrame                        # in order of converted_at, conversion_id
    entries: np.ndarray                              # row in touches, in order of key, time, kind, touch_id
    low: np.ndarray
    high: np.ndarray
    lead: np.ndarray                                 # the entry that holds the milestone; below low where none does
    opportunity: np.ndarray
    campaigns: pd.Index                              # what the campaign codes mean
    arrays: dict[str, np.ndarray]                    # campaign code and times in microseconds, by row in touches
    converted_at: np.ndarray                         # microseconds


def build_journeys(touches, conversions, contact_roles=None, *, linking: str = "hybrid",
                   lookback_days: float | None = 365, time_zone: str = "UTC") -> pd.DataFrame:
    """Find the touches that count for each conversion, in order.

    Returns one row per touch and conversion: position 1..n_touches, days_before the conversion, the milestones' flags;
    a conversion without a touch is one row with null touch_id and n_touches 0. A touch counts from the first moment of
    the local day that lies lookback_days before the conversion's (None: no limit) up to the conversion's own moment.
    is_before_opportunity says that the touch is no later than the calendar day on which the deal was made; it is False
    where that day is unknown. Conversions with a person link by person; others by contact role, by account, or (hybrid)
    by role where the deal has one: without contact_roles, by account.
    Raises TableError when an id, time or value cannot be used, ValueError for an argument.

    >>> touches = pd.DataFrame({"touch_id": ["ad", "guide"], "person_id": "Ann", "account_id": "Acme",
    ...     "campaign_id": ["LinkedIn", "Guide"], "touched_at": pd.to_datetime(["2026-03-01", "2026-03-08"])})
    >>> deal = pd.DataFrame({"conversion_id": ["deal"], "account_id": "Acme", "person_id": None,
    ...     "converted_at": pd.to_datetime(["2026-03-09"]), "value": 10000.0})
    >>> build_journeys(touches, deal)[["campaign_id", "position", "n_touches", "days_before"]]
      campaign_id  position  n_touches  days_before
    0    LinkedIn         1          2          8.0
    1       Guide         2          2          1.0
    """
    slices = find_slices(touches, conversions, contact_roles, linking=linking, lookback_days=lookback_days,
                         time_zone=time_zone)
    arrays, touch = expand(slices, 0, len(slices.conversions))
    n_rows = np.maximum(slices.high - slices.low, 1)
    conversion, is_touched = np.repeat(np.arange(len(n_rows)), n_rows), np.repeat(slices.high > slices.low, n_rows)
    met, about = _spread(touch, is_touched, -1), slices.conversions
    return pd.DataFrame({
        "conversion_id": _take(about["conversion_id"], conversion),
        **{column: _take(slices.touches[column], met) for column in _TOUCH},
        "value": _take(about["value"], conversion),
        **{column: _spread(getattr(arrays, column), is_touched, blank) for column, blank in _UNTOUCHED.items()},
        **{column: _take(slices.touches[column], met) for column in _MEMBERSHIP if column in slices.touches},
        "converted_at": _take(about["converted_at"], conversion),
    })


def find_slices(touches, conversions, contact_roles=None, *, linking: str = "hybrid",
                lookback_days: float | None = 365, time_zone: str = "UTC") -> Slices:
    """Find each conversion's journey as a slice of the touches in order; the options are those of build_journeys."""
    _check_options(linking, lookback_days, time_zone, contact_roles)
    touches = _read_touches(touches)
    conversions = _read_conversions(conversions).sort_values(["converted_at", "conversion_id"], ignore_index=True)
    order = _sort(touches, *_link(touches, conversions, _read_roles(contact_roles), linking))
    moments = microseconds(conversions["converted_at"])
    days = Agreement(time_zone=time_zone)
    low = order.find(_earliest(conversions["converted_at"], lookback_days, days), "left")
    high = order.find(moments, "right")
    codes, campaigns = pd.factorize(touches["campaign_id"], sort=True)
    return Slices(touches, conversions, order.entries, low, high,
                  _find_lead(touches, conversions, order, low, high, days),
                  _find_last(order, high, conversions["opportunity_created_at"], days), campaigns,
                  {"campaign": codes, "touched_at": microseconds(touches["touched_at"])} | membership_times(touches),
                  moments)


def _earliest(moments: pd.Series, lookback_days: float | None, days: Agreement) -> np.ndarray:
    """Give the first moment of the local day that lies lookback_days before each one's day."""
    if lookback_days is None or lookback_days > _LONGEST_LOOKBACK:
        return np.full(len(moments), _BEFORE_ALL)
    return microseconds(days.start_of(days.day_of(moments) - pd.Timedelta(days=lookback_days)))


def expand(slices: Slices, first: int, last: int) -> tuple[JourneyArrays, np.ndarray]:
    """Write out the journeys of conversions first up to last: the arrays for the models, and each row in touches."""
    low, n = slices.low[first:last], (slices.high - slices.low)[first:last]
    conversion = np.repeat(np.arange(first, last), n)
    entry = _ranges(low, n)
    touch = slices.entries[entry]
    met = {name: array[touch] for name, array in slices.arrays.items()}
    touched_at, is_ended = met.pop("touched_at"), n > 0
    last_at = np.repeat(touched_at[np.cumsum(n)[is_ended] - 1], n[is_ended])
    return JourneyArrays(
        conversion, entry - np.repeat(low, n) + 1, np.repeat(n, n), **met,
        age_days=(last_at - touched_at) / DAY_MICROSECONDS,
        days_before=(slices.converted_at[conversion] - touched_at) / DAY_MICROSECONDS,
        is_lead_touch=entry == slices.lead[conversion],
        is_opportunity_touch=entry == slices.opportunity[conversion],
        is_before_opportunity=entry <= slices.opportunity[conversion],
    ), touch


def membership_times(touches: pd.DataFrame) -> dict[str, np.ndarray]:
    """Give joined_at and modified_at, where there are such columns, in microseconds; touched_at where null."""
    return {column: microseconds(touches[column].fillna(touches["touched_at"]))
            for column in _MEMBERSHIP if column in touches}


def chunk_ends(n_rows: np.ndarray, rows: int = CHUNK_ROWS) -> Iterator[tuple[int, int]]:
    """Cut conversions into runs of about so many rows each, never inside a conversion.

    >>> list(chunk_ends(np.array([2, 1, 5, 1]), rows=3))
    [(0, 2), (2, 4)]
    """
    runs = np.maximum(np.cumsum(n_rows) - 1, 0) // rows
    cuts = np.flatnonzero(np.diff(runs, prepend=-1)).tolist()
    yield from zip(cuts, [*cuts[1:], len(n_rows)], strict=True) if cuts else ()


def linking_coverage(touches, conversions, contact_roles=None, lookback_days: float | None = 365,
                     time_zone: str = "UTC") -> pd.DataFrame:
    """Count the conversions, and the value, that each way of linking reaches with at least one touch.

    Returns one row per linking: n_conversions and value in all, n_reached and value_reached, and their shares (0-1).

    >>> touches = pd.DataFrame({"touch_id": ["ad"], "person_id": "Ann", "account_id": "Acme", "campaign_id": "LinkedIn",
    ...     "touched_at": pd.to_datetime(["2026-03-01"])})
    >>> deal = pd.DataFrame({"conversion_id": ["deal"], "account_id": "Acme", "person_id": None,
    ...     "converted_at": pd.to_datetime(["2026-03-09"]), "value": 10000.0})
    >>> linking_coverage(touches, deal)[["linking", "n_conversions", "n_reached"]]
       linking  n_conversions  n_reached
    0     role              1          0
    1  account              1          1
    2   hybrid              1          1
    """
    contact_roles = pd.DataFrame({"opportunity_id": [], "person_id": []}) if contact_roles is None else contact_roles
    return pd.DataFrame([_coverage(linking, find_slices(touches, conversions, contact_roles, linking=linking,
                                                        lookback_days=lookback_days, time_zone=time_zone))
                         for linking in LINKINGS])


def _coverage(linking: str, slices: Slices) -> dict:
    value, is_reached = slices.conversions["value"], slices.high > slices.low
    n_conversions, n_reached, total, reached = len(value), int(is_reached.sum()), value.sum(), value[is_reached].sum()
    return {"linking": linking, "n_conversions": n_conversions, "n_reached": n_reached,
            "reached_share": n_reached / n_conversions if n_conversions else np.nan,
            "value": round(total, 2), "value_reached": round(reached, 2),
            "value_reached_share": reached / total if total else np.nan}


@dataclass(frozen=True)
class _Order:
    keys: np.ndarray                                 # of the conversions
    times: np.ndarray                                # of all touches, rising
    packed: np.ndarray                               # key and rank in time of every entry in one integer, rising
    entries: np.ndarray

    def find(self, moments: np.ndarray, side: str) -> np.ndarray:
        """Find, under each conversion's key, the first entry at or (side right) after a moment."""
        ranks = np.searchsorted(self.times, moments, side)
        return np.searchsorted(self.packed, self.keys * (len(self.times) + 1) + ranks)


def _sort(touches: pd.DataFrame, keys: np.ndarray, entry_keys: np.ndarray, rows: np.ndarray) -> _Order:
    moments = microseconds(touches["touched_at"])
    by_time = np.argsort(moments)
    ranks = np.empty_like(by_time)
    ranks[by_time] = np.arange(len(by_time))
    packed = np.sort(entry_keys * (len(by_time) + 1) + ranks[rows])
    key, rank = np.divmod(packed, len(by_time) + 1)
    entries = by_time[rank]
    return _Order(keys, moments[by_time], packed, _order_ties(touches, key, moments[entries], entries))


def _order_ties(touches: pd.DataFrame, key: np.ndarray, moments: np.ndarray, entries: np.ndarray) -> np.ndarray:
    is_new = np.append(True, (key[1:] != key[:-1]) | (moments[1:] != moments[:-1]))[:len(key)]
    is_tied = ~(is_new & np.roll(is_new, -1))
    run = np.cumsum(is_new)[is_tied]
    tied = touches[["kind", "touch_id"]].take(entries[is_tied])
    kinds, names = pd.factorize(tied["kind"], sort=True)
    ids, _ = pd.factorize(tied["touch_id"], sort=True)
    ordered = entries.copy()
    ordered[is_tied] = entries[is_tied][np.lexsort((ids, _kind_ranks(names)[kinds], run))]
    return ordered


def _kind_ranks(kinds: pd.Index) -> np.ndarray:
    known = {kind: rank for rank, kind in enumerate(_KINDS)}
    ranks = [known.get(kind, len(known) + i) for i, kind in enumerate(kinds)]
    return np.array([*ranks, len(known) + len(kinds)])           # the last, which code -1 picks, is no kind at all


def _link(touches: pd.DataFrame, conversions: pd.DataFrame, roles: pd.DataFrame, linking: str
          ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give each conversion its key, and list every touch under each key that a conversion asks for."""
    (met, converting, in_role), n_people = _codes(touches["person_id"], conversions["person_id"], roles["person_id"])
    (touched, buying), n_accounts = _codes(touches["account_id"], conversions["account_id"])
    (number, deal), _ = _codes(conversions["conversion_id"], roles["opportunity_id"])
    by_role = (np.isin(number, deal) | (linking == "role")) & (linking != "account")
    buying = np.where(by_role | (converting >= 0), -1, buying)
    keys = np.select([converting >= 0, by_role, buying >= 0],
                     [converting, n_people + n_accounts + number, n_people + buying], -1)
    is_asked = np.append(by_role, False)[np.minimum(deal, len(number))]
    deals, rows = _list_roles(met, in_role[is_asked], deal[is_asked])
    listed = [_list_asked(met, converting, 0), _list_asked(touched, buying, n_people),
              (deals + n_people + n_accounts, rows)]
    return keys, *(np.concatenate(part) for part in zip(*listed, strict=True))


def _codes(*columns: pd.Series) -> tuple[list[np.ndarray], int]:
    codes, ids = pd.factorize(pd.concat(columns, ignore_index=True))
    return np.split(codes, np.cumsum([len(column) for column in columns])[:-1]), len(ids)


def _list_asked(codes: np.ndarray, asked: np.ndarray, offset: int) -> tuple[np.ndarray, np.ndarray]:
    """List the touches whose code is asked for: keys and rows. Code -1, no id at all, never is."""
    is_asked = np.zeros(max(codes.max(initial=-1), asked.max(initial=-1)) + 2, bool)
    is_asked[asked] = True
    is_asked[-1] = False
    rows = np.flatnonzero(is_asked[codes])
    return codes[rows] + offset, rows


def _list_roles(met: np.ndarray, in_role: np.ndarray, deal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the touches of each deal's people, a person once: deals and rows."""
    n_people = met.max(initial=-1) + in_role.max(initial=-1) + 2
    deal, person = np.divmod(np.unique(deal * n_people + in_role), n_people)
    by_person = np.argsort(met)
    low, high = (np.searchsorted(met[by_person], person, side) for side in ("left", "right"))
    return np.repeat(deal, high - low), by_person[_ranges(low, high - low)]


def _find_last(order: _Order, high: np.ndarray, moments: pd.Series, days: Agreement) -> np.ndarray:
    """Find the last entry of each journey on or before a moment's local day; below low where there is none."""
    ends = microseconds(days.end_of(days.day_of(moments)))           # no moment, as an integer, is before all others
    return np.minimum(order.find(ends, "right"), high) - 1


def _find_lead(touches: pd.DataFrame, conversions: pd.DataFrame, order: _Order, low: np.ndarray, high: np.ndarray,
               days: Agreement) -> np.ndarray:
    """Find the entry that created the lead: the last by its day, else that person's first within the next day."""
    moments = conversions["lead_created_at"]
    found = _find_last(order, high, moments, days)
    next_day = days.start_of(days.day_of(moments) + pd.Timedelta(days=1))
    n_late = _find_last(order, high, next_day, days) + 1 - low
    late = np.flatnonzero((found < low) & (n_late > 0))
    entry, owner = _ranges(low[late], n_late[late]), np.repeat(late, n_late[late])
    person = touches["person_id"].take(order.entries[entry]).to_numpy()
    is_theirs = person == conversions["lead_person_id"].take(owner).to_numpy()
    late, first = np.unique(owner[is_theirs], return_index=True)
    found[late] = entry[is_theirs][first]
    return found


def _ranges(start: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Write out start, start + 1, ... n times, for each start in turn."""
    return np.arange(n.sum()) + np.repeat(start - np.cumsum(n) + n, n)


def _spread(values: np.ndarray, where: np.ndarray, elsewhere) -> np.ndarray:
    spread = np.full(len(where), elsewhere, values.dtype)
    spread[where] = values
    return spread


def _take(column: pd.Series, rows: np.ndarray) -> pd.api.extensions.ExtensionArray:
    return pd.api.extensions.take(column.array, rows, allow_fill=True)


def microseconds(moments: pd.Series) -> np.ndarray:
    """Turn moments into integer microseconds UTC.

    >>> microseconds(pd.Series(pd.to_datetime(["1970-01-01 00:00:01+00:00"]))).tolist()
    [1000000]
    """
    return moments.to_numpy("datetime64[us]").view(np.int64)


def _check_options(linking: str, lookback_days: float | None, time_zone: str, contact_roles) -> None:
    check_linking(linking)
    if linking == "role" and contact_roles is None:
        raise ValueError("linking: 'role' needs contact_roles; give them, or link by 'account'")
    try:
        ZoneInfo(time_zone)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        raise ValueError(f"time_zone: {time_zone!r} is not a time zone like 'Europe/Helsinki'") from None
    is_number = isinstance(lookback_days, Real) and not isinstance(lookback_days, bool)
    if lookback_days is not None and not (is_number and lookback_days >= 0 and lookback_days % 1 == 0):
        raise ValueError(f"lookback_days: {lookback_days!r} is not a whole number of days from 0, or None for no limit")


def _read_touches(frame) -> pd.DataFrame:
    needed = ["touch_id", "person_id", "account_id", "campaign_id", "touched_at"]
    touches = read_columns(frame, "touches", needed, ["kind", "joined_at", "modified_at"])
    _check_filled(touches, "touches", ["touch_id", "campaign_id", "touched_at"])
    _check_unique(touches, "touches", "touch_id")
    return touches.assign(kind=touches.get("kind", pd.Series(pd.NA, touches.index, "str")))


def _read_conversions(frame) -> pd.DataFrame:
    needed = ["conversion_id", "account_id", "person_id", "converted_at", "value"]
    conversions = read_columns(frame, "conversions", needed, list(_MILESTONES))
    _check_filled(conversions, "conversions", ["conversion_id", "converted_at"])
    _check_unique(conversions, "conversions", "conversion_id")
    check_values(conversions, "conversions")
    unknown = {column: pd.Series(None, conversions.index, "str" if column.endswith("_id") else UTC)
               for column in _MILESTONES if column not in conversions}
    return conversions.assign(**unknown)


def _read_roles(frame) -> pd.DataFrame:
    if frame is None:
        return pd.DataFrame({"opportunity_id": [], "person_id": []}, dtype="str")
    roles = read_columns(frame, "contact_roles", ["opportunity_id", "person_id"], [])
    return _check_filled(roles, "contact_roles", ["opportunity_id", "person_id"])


def read_columns(frame, name: str, needed: list[str], optional: list[str]) -> pd.DataFrame:
    """Take the columns named from any frame, in the kernel's types; times without a zone are UTC.

    Raises TableError when a column is missing, or is no text, time or number.
    """
    table = as_pandas(frame)
    missing = [column for column in needed if column not in table]
    if missing:
        raise TableError(f"{name}: there is no column {missing[0]}. The columns needed are {', '.join(needed)}.")
    wanted = [column for column in needed + optional if column in table]
    return pd.DataFrame({column: _typed(table[column], name) for column in wanted}).reset_index(drop=True)


def check_values(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Check that every value is an amount that can be split to the cent, and return the table.

    Raises TableError that counts the rows whose value is missing or too large.

    >>> check_values(pd.DataFrame({"conversion_id": ["deal"], "value": [1e12]}), "conversions")
    Traceback (most recent call last):
    attribution.tables.TableError: conversions: value is too large to split to the cent in 1 of 1 rows (first: deal). \
Correct those rows or leave them out.
    """
    _check_filled(table, name, ["value"])
    is_wrong = ~(table["value"].abs() * 100 < MAX_CENTS)
    if is_wrong.any():
        raise _fault(table, name, "value", "is too large to split to the cent", is_wrong)
    return table


def read_journeys(frame, *more: str) -> pd.DataFrame:
    """Take any frame's journeys in the order of build_journeys, with more of its columns, and check that each is whole.

    Raises TableError when a column or a journey's row is missing, or a row stands twice.
    """
    needed = ["conversion_id", "touch_id", "campaign_id", "touched_at", "converted_at", "value", "position",
              "n_touches", "days_before", *FLAGS, *more]
    journeys = check_values(read_columns(frame, "journeys", needed, ["joined_at", "modified_at"]), "journeys")
    if not (_is_whole(journeys).all() and _is_ordered(journeys)):
        journeys = journeys.sort_values(["converted_at", "conversion_id", "position"], ignore_index=True)
    broken = journeys.loc[~_is_whole(journeys), "conversion_id"]
    if len(broken):
        raise TableError(f"journeys: rows are missing or repeated in {broken.nunique():,} conversions "
                         f"({first_keys(broken)}). Share credit first, and leave rows out afterwards.")
    return journeys


def _is_whole(journeys: pd.DataFrame) -> np.ndarray:
    starts = np.flatnonzero(journeys["conversion_id"] != journeys["conversion_id"].shift())
    sizes = np.diff(starts, append=len(journeys))
    n, position = np.repeat(sizes, sizes), np.arange(len(journeys)) - np.repeat(starts, sizes) + 1
    is_untouched = ((journeys["n_touches"] == 0) & (journeys["position"] == 0) & (n == 1)).to_numpy()
    return is_untouched | ((journeys["n_touches"] == n) & (journeys["position"] == position)).to_numpy()


def _is_ordered(journeys: pd.DataFrame) -> bool:
    starts = journeys.loc[journeys["position"] <= 1, ["converted_at", "conversion_id"]]
    return starts.sort_values(["converted_at", "conversion_id"]).index.equals(starts.index)


def _typed(column: pd.Series, name: str) -> pd.Series:
    if column.name.endswith("_at"):
        return _moments(column, name)
    if column.name == "value":
        return _money(column, name)
    if column.dtype == "str" or not column.name.endswith(("_id", "kind")):
        return column
    if column.dtype in ("object", "category", "string") or column.isna().all():
        return column.astype("str")
    raise TableError(f"{name}: {column.name} is {column.dtype}, not text. Read ids as text, also such as look "
                     "like numbers.")


def _moments(column: pd.Series, name: str) -> pd.Series:
    if column.isna().all():
        return pd.Series(pd.NaT, column.index, UTC)
    if column.dtype.kind != "M":
        raise TableError(f"{name}: {column.name} is {column.dtype}, not a time. Read it as a time first.")
    aware = column.dt.tz_localize("UTC") if column.dt.tz is None else column.dt.tz_convert("UTC")
    return aware.astype(UTC)


def _money(column: pd.Series, name: str) -> pd.Series:
    try:
        if column.dtype == "object" or column.dtype.kind in "iuf":           # object: decimals
            return column.astype(float)
    except (TypeError, ValueError):
        pass
    raise TableError(f"{name}: {column.name} is {column.dtype}, not a number. Read it as a number first.")


def _check_filled(table: pd.DataFrame, name: str, columns: list[str]) -> pd.DataFrame:
    for column in columns:
        if table[column].isna().any():
            raise _fault(table, name, column, "is empty", table[column].isna())
    return table


def _check_unique(table: pd.DataFrame, name: str, column: str) -> None:
    if table[column].duplicated().any():
        raise _fault(table, name, column, "is not unique", table[column].duplicated(keep=False))


def _fault(table: pd.DataFrame, name: str, column: str, fault: str, where: pd.Series) -> TableError:
    keys = table.iloc[:, 0].fillna("row " + (pd.Series(table.index, table.index) + 1).astype("str"))[where]
    return TableError(f"{name}: {column} {fault} in {where.sum():,} of {len(table):,} rows ({first_keys(keys)}). "
                      "Correct those rows or leave them out.")
