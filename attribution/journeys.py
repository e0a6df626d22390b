"""The kernel: touches sorted once, each conversion's journey a slice of that order.

The key is what links a touch to a conversion: the person, the account, or, by contact role, the deal itself. No join is
made: a conversion's journey is found by two binary searches, whatever the number of its account's touches and deals.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from numbers import Real

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from attribution.agreement import Agreement
from attribution.frames import (
    ALIKE,
    BLOCK,
    check_alike,
    check_filled,
    check_time_zone,
    check_unique,
    check_values,
    count_parts,
    fill,
    find_ids,
    in_threads,
    microseconds,
    rank_ids,
    read_columns,
    smallest,
)
from attribution.funnel import LINKINGS, check_linking
from attribution.tables import UTC, TableError, as_pandas, first_keys

CHUNK_ROWS = 131_072                                 # fits the processor's cache
DAY_MICROSECONDS = 86_400_000_000
FLAGS = ("is_lead_touch", "is_opportunity_touch", "is_before_opportunity")
_KINDS = ("response", "membership")
_TOUCH = ("touch_id", "campaign_id", "person_id", "touched_at")
_MEMBERSHIP = ("joined_at", "modified_at")
_BEFORE_ALL = -(2**62)                               # microseconds
_UNITS = (DAY_MICROSECONDS, 3_600_000_000, 1_000_000, 1_000, 1)
_LONGEST_LOOKBACK = 365 * 300                        # days; pandas' moments reach back to 1677
_UNTOUCHED = {"position": 0, "n_touches": 0, "days_before": np.nan, "is_lead_touch": False,
              "is_opportunity_touch": False, "is_before_opportunity": False}
_MILESTONES = ("lead_created_at", "lead_person_id", "opportunity_created_at")


@dataclass(frozen=True)
class JourneyArrays:
    """Whole journeys as flat arrays, an element per touch, in order of position: what a model is given to read."""

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

    def __post_init__(self):
        for about in fields(self):
            if (array := getattr(self, about.name)) is not None:
                _to_read(array)

    def journey_sum(self, values: np.ndarray) -> np.ndarray:
        """Sum values over each journey, and give every touch its journey's sum.

        >>> two = JourneyArrays(np.array([0, 0, 1]), np.array([1, 2, 1]), np.array([2, 2, 1]))
        >>> two.journey_sum(np.array([1, 2, 5])).tolist()
        [3, 3, 5]
        """
        if values.dtype == bool:
            return self.spread(np.bincount(self.owner[values], minlength=len(self.starts)))
        return self.spread(np.add.reduceat(values, self.starts))

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Give every touch the value of its journey."""
        return values[self.owner]

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each journey begins."""
        return _to_read(np.flatnonzero(self.position == 1))

    @cached_property
    def owner(self) -> np.ndarray:
        """The place of each touch's journey among them, from 0."""
        return _to_read(np.repeat(np.arange(len(self.starts)), self.n_touches[self.starts]))

    def part(self, rows: slice | np.ndarray) -> "JourneyArrays":
        """Give some of the touches, whole journeys of them."""
        named = {about.name: getattr(self, about.name) for about in fields(self)}
        return JourneyArrays(**{name: array[rows] for name, array in named.items() if array is not None})


def _to_read(array: np.ndarray) -> np.ndarray:
    """Lock an array: the next model is given it too."""
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Slices:
    """Every journey as a slice [low, high) of the touches in order of key, time, kind and touch_id."""

    touches: pd.DataFrame
    conversions: pd.DataFrame                        # in order of key, so that neighbours meet touches side by side
    entries: np.ndarray                              # row in touches of each place in that order
    low: np.ndarray
    high: np.ndarray
    lead_until: np.ndarray                           # microseconds: the last touch up to then holds the milestone
    opportunity_until: np.ndarray
    late_lead: np.ndarray                            # the place that holds it although it is later; -1 where none does
    campaigns: pd.Index                              # what the campaign codes mean
    arrays: dict[str, np.ndarray]                    # campaign code and times in microseconds, by row in touches
    converted_at: np.ndarray                         # microseconds

    def by_time(self) -> "Slices":
        """Give the conversions in order of converted_at and conversion_id."""
        rows = self.conversions[["converted_at", "conversion_id"]].reset_index(drop=True)
        order = rows.astype({"conversion_id": "str"}).sort_values([*rows]).index.to_numpy()
        each = ("low", "high", "lead_until", "opportunity_until", "late_lead", "converted_at")
        return replace(self, conversions=self.conversions.take(order).reset_index(drop=True),
                       **{name: getattr(self, name)[order] for name in each})


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
                         time_zone=time_zone).by_time()
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
    [slices] = cut_slices(touches, conversions, contact_roles, linking, lookback_days, time_zone, is_whole=True)
    return slices


def cut_slices(touches, conversions, contact_roles, linking: str, lookback_days: float | None, time_zone: str,
               is_whole: bool = False) -> list[Slices]:
    """Find the slices in parts, each of conversions of its own, at the same time; or in one, with the touches' people.

    Else the touches' person_id is not read where nothing is linked by it.
    """
    _check_options(linking, lookback_days, time_zone, contact_roles)
    conversions, roles = _read_conversions(conversions), _read_roles(contact_roles)
    needs_people = is_whole or len(roles) or conversions[["person_id", "lead_person_id"]].notna().any(axis=None)
    touches = _read_touches(touches, needs_people)
    _check_alike(touches=touches, conversions=conversions, contact_roles=roles)
    keys, entries = _link(touches, conversions, roles, linking)
    by_key = np.argsort(keys)
    needed = conversions.columns.drop(["account_id", "person_id"])
    conversions, keys = conversions[needed].take(by_key), keys[by_key]
    touched_at = microseconds(touches["touched_at"])
    clock = _make_clock(touched_at, int(keys.max(initial=0)).bit_length())
    codes, campaigns = rank_ids(touches["campaign_id"])
    arrays = {"campaign": codes, "touched_at": touched_at} | membership_times(touches)

    def find(rows: slice) -> Slices:
        order = _sort(touches, clock, entries, keys[rows])
        return _find_journeys(touches, conversions.iloc[rows], order, arrays, campaigns, lookback_days, time_zone)
    return list(in_threads(find, _cut_keys(keys, 1 if is_whole or not len(keys) else count_parts(len(touches)))))


def _cut_keys(keys: np.ndarray, n_parts: int) -> list[slice]:
    """Cut conversions in order of key into parts of about the same size, never between two of one key."""
    middles = np.linspace(0, len(keys), n_parts + 1).astype(int)[1:-1]
    cuts = [0, *np.searchsorted(keys, keys[middles]).tolist(), len(keys)]
    return [slice(first, last) for first, last in zip(cuts, cuts[1:], strict=False)]


def _find_journeys(touches: pd.DataFrame, conversions: pd.DataFrame, order: "_Order", arrays: dict[str, np.ndarray],
                   campaigns: pd.Index, lookback_days: float | None, time_zone: str) -> Slices:
    moments, days = conversions["converted_at"], Agreement(time_zone=time_zone)
    low, high = order.find(_earliest(moments, lookback_days, days), "left"), order.find(microseconds(moments), "right")
    lead_until, opportunity_until = (_end_of_day(conversions[f"{milestone}_created_at"], days)
                                     for milestone in ("lead", "opportunity"))
    late_lead = _find_late_lead(touches, conversions, order, low, high, lead_until, days)
    return Slices(touches, conversions, order.entries, low, high, lead_until, opportunity_until, late_lead, campaigns,
                  arrays, microseconds(moments))


def _end_of_day(moments: pd.Series, days: Agreement) -> np.ndarray:
    """Give the last microsecond of each moment's local day; no moment is before all others."""
    if moments.isna().all():
        return np.full(len(moments), _BEFORE_ALL)
    return np.maximum(microseconds(days.end_of(days.day_of(moments))), _BEFORE_ALL)


def _earliest(moments: pd.Series, lookback_days: float | None, days: Agreement) -> np.ndarray:
    """Give the first moment of the local day that lies lookback_days before each one's day."""
    if lookback_days is None or lookback_days > _LONGEST_LOOKBACK:
        return np.full(len(moments), _BEFORE_ALL)
    return microseconds(days.start_of(days.day_of(moments) - pd.Timedelta(days=lookback_days)))


def expand(slices: Slices, first: int, last: int) -> tuple[JourneyArrays, np.ndarray]:
    """Write out the journeys of conversions first up to last: the arrays for the models, and each row in touches."""
    about = {name: getattr(slices, name)[first:last] for name in (
        "low", "high", "lead_until", "opportunity_until", "late_lead", "converted_at")}
    n = about["high"] - about["low"]
    owner = np.repeat(np.arange(len(n)), n)
    before, n_touches = (np.cumsum(n) - n)[owner], n[owner]
    position = np.arange(len(owner)) - before + 1
    entry = about["low"][owner] + position - 1
    touch = slices.entries[entry]
    met = {name: array[touch] for name, array in slices.arrays.items()}
    touched_at, is_last = met.pop("touched_at"), position == n_touches
    by_lead, by_opportunity = (touched_at <= about[until][owner] for until in ("lead_until", "opportunity_until"))
    return JourneyArrays(
        owner + first, position, n_touches, **met,
        age_days=(touched_at[before + n_touches - 1] - touched_at) / DAY_MICROSECONDS,
        days_before=(about["converted_at"][owner] - touched_at) / DAY_MICROSECONDS,
        is_lead_touch=_is_final(by_lead, is_last) | (entry == about["late_lead"][owner]),
        is_opportunity_touch=_is_final(by_opportunity, is_last), is_before_opportunity=by_opportunity,
    ), touch


def _is_final(is_by: np.ndarray, is_last: np.ndarray) -> np.ndarray:
    """Tell the last touch of each journey of those, from its first on, for which something holds."""
    return is_by & (is_last | ~np.append(is_by[1:], False)[:len(is_by)])


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
    roles = pd.DataFrame({"opportunity_id": [], "person_id": []}) if contact_roles is None else contact_roles
    touches, conversions, roles = map(as_pandas, (touches, conversions, roles))      # what can be read but once
    return pd.DataFrame([_coverage(linking, find_slices(touches, conversions, roles, linking=linking,
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
class _Clock:
    """Time as small integers, ticks: in a unit that all touches' times are multiples of, else as ranks."""

    ticks: np.ndarray                                # of the touches
    tick_bits: int
    row_bits: int                                    # 0 where a tick is a rank, which tells the row
    find: Callable[[np.ndarray, str], np.ndarray]    # of moments: the first tick at or (side right) after each
    by_time: np.ndarray | None = None                # rows in order of time, where ticks are ranks
    times: np.ndarray | None = None


@dataclass(frozen=True)
class _Order:
    keys: np.ndarray                                 # of the conversions, rising; -1 where one has none
    packed: np.ndarray                               # key and tick of every entry in one integer, rising
    clock: _Clock
    entries: np.ndarray

    def find(self, moments: np.ndarray, side: str, rows: slice | np.ndarray = slice(None)) -> np.ndarray:
        """Find, under the keys of these conversions, the first entry at or (side right) after a moment of each."""
        asked = (self.keys[rows] << self.clock.tick_bits) + self.clock.find(np.maximum(moments, _BEFORE_ALL), side)
        return np.searchsorted(self.packed, asked)


def _make_clock(touched_at: np.ndarray, key_bits: int) -> _Clock:
    """Count ticks in which a key, a tick and a row fit one integer; else ranks, which take another sort."""
    first, unit, ticks = _count_ticks(touched_at)
    last, row_bits = int(ticks.max(initial=0)), len(ticks).bit_length()
    tick_bits = (last + 1).bit_length()
    if key_bits + tick_bits + row_bits < 64:
        return _Clock(ticks, tick_bits, row_bits, lambda moments, side: np.clip(
            _divide(moments - first, unit, side), 0, last + 1))
    by_time = np.argsort(touched_at)
    ranks, times = np.empty_like(by_time), touched_at[by_time]
    ranks[by_time] = np.arange(len(by_time))
    return _Clock(ranks, row_bits, 0, lambda moments, side: np.searchsorted(times, moments, side), by_time, times)


def _sort(touches: pd.DataFrame, clock: _Clock, entries: list["_Entries"], keys: np.ndarray) -> _Order:
    """Sort the entries of these keys by key, time, kind and touch_id."""
    packed = np.concatenate([np.empty(0, np.int64), *_pack(clock, entries, keys)])
    packed.sort()
    if clock.by_time is None:
        rows = np.empty(len(packed), smallest(len(clock.ticks)))
        np.bitwise_and(packed, (1 << clock.row_bits) - 1, out=rows, casting="unsafe")
        packed >>= clock.row_bits
        is_same = packed[1:] == packed[:-1]
    else:
        rank, key = packed & (1 << clock.tick_bits) - 1, packed >> clock.tick_bits
        rows = clock.by_time[rank]
        is_same = (key[1:] == key[:-1]) & (clock.times[rank[1:]] == clock.times[rank[:-1]])
    _order_ties(touches, is_same, rows)
    return _Order(keys, packed, clock, rows)


def _pack(clock: _Clock, entries: list["_Entries"], keys: np.ndarray) -> Iterator[np.ndarray]:
    """Write key, tick and row of the entries of these keys into one integer each, block by block."""
    low, high = (max(int(keys[0]), 0), int(keys[-1])) if len(keys) else (0, -1)
    for each in entries:
        for first in range(0, len(each.codes), BLOCK):
            codes = each.codes[first:first + BLOCK]
            at = np.flatnonzero((codes >= max(low - each.offset, 0)) & (codes <= high - each.offset))
            rows = at + first if each.rows is None else each.rows[first:first + BLOCK][at]
            packed = (codes[at].astype(np.int64) + each.offset << clock.tick_bits) + clock.ticks[rows]
            yield (packed << clock.row_bits) + rows if clock.row_bits else packed


def _count_ticks(touched_at: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Count time from the first touch in the largest unit of which all times are whole numbers.

    Returns the first touch, the unit (microseconds) and the ticks.
    """
    first = int(touched_at.min()) if len(touched_at) else 0
    longest = int(touched_at.max()) - first if len(touched_at) else 0
    for unit in _UNITS:
        if not ((touched_at[:1000] - first) % unit).any() and _is_whole_in(unit, touched_at, first):
            break
    ticks = fill(len(touched_at), smallest(longest // unit), lambda rows: (touched_at[rows] - first) // unit)
    return first, unit, ticks


def _is_whole_in(unit: int, touched_at: np.ndarray, first: int) -> bool:
    return not fill(len(touched_at), bool, lambda rows: (touched_at[rows] - first) % unit).any()


def _divide(since: np.ndarray, unit: int, side: str) -> np.ndarray:
    return -(-since // unit) if side == "left" else since // unit + 1


def _order_ties(touches: pd.DataFrame, is_same: np.ndarray, entries: np.ndarray) -> None:
    """Put entries of the same key and moment as the next one (is_same) or the last in order of kind and touch_id."""
    same = np.flatnonzero(is_same)
    if not len(same):
        return
    starts = same[np.append(True, np.diff(same) > 1)]
    sizes = np.diff(np.searchsorted(same, starts), append=len(same)) + 1
    place = _ranges(starts, sizes)
    tied = touches[["kind", "touch_id"]].take(entries[place])
    kinds, names = pd.factorize(tied["kind"].astype("str"), sort=True)
    ids = tied["touch_id"] if is_integer_dtype(tied["touch_id"].dtype) else pd.factorize(tied["touch_id"], sort=True)[0]
    entries[place] = entries[place][np.lexsort((ids, _kind_ranks(names)[kinds], np.repeat(starts, sizes)))]


def _kind_ranks(kinds: pd.Index) -> np.ndarray:
    known = {kind: rank for rank, kind in enumerate(_KINDS)}
    ranks = [known.get(kind, len(known) + i) for i, kind in enumerate(kinds)]
    return np.array([*ranks, len(known) + len(kinds)])           # the last, which code -1 picks, is no kind at all


@dataclass(frozen=True)
class _Entries:
    """Touches under keys."""

    codes: np.ndarray                                # the key is offset + code; below 0 for none
    offset: int
    rows: np.ndarray | None                          # in touches; None for all of them, in order


def _link(touches: pd.DataFrame, conversions: pd.DataFrame, roles: pd.DataFrame, linking: str
          ) -> tuple[np.ndarray, list[_Entries]]:
    """Give each conversion its key, and list every touch under each key that a conversion asks for."""
    deal = find_ids(roles["opportunity_id"], conversions["conversion_id"])
    has_role = np.bincount(deal + 1, minlength=len(conversions) + 1)[1:] > 0
    by_person = conversions["person_id"].notna().to_numpy()
    by_role = ~by_person & (has_role | (linking == "role")) & (linking != "account")
    keys = np.full(len(conversions), -1)
    people = _number(keys, conversions["person_id"], by_person, 0)
    accounts = _number(keys, conversions["account_id"], ~by_person & ~by_role, len(people))
    keys[by_role] = len(people) + len(accounts) + np.flatnonzero(by_role)
    in_role = roles[np.append(by_role, False)[deal]]
    entries = [_Entries(find_ids(touches[column], asked), offset, None) for column, asked, offset in (
        ("person_id", people, 0), ("account_id", accounts, len(people))) if len(asked)]
    return keys, [*entries, _list_roles(touches, in_role, keys[deal[in_role.index]])] if len(in_role) else entries


def _number(keys: np.ndarray, ids: pd.Series, is_asked: np.ndarray, offset: int) -> pd.Index:
    """Write the keys of those who are linked by these ids, and give the ids in order of their keys."""
    codes, asked = pd.factorize(ids[is_asked])
    keys[is_asked] = np.where(codes < 0, -1, codes + offset)
    return asked


def _list_roles(touches: pd.DataFrame, roles: pd.DataFrame, keys: np.ndarray) -> _Entries:
    """List the touches of each deal's people, a person once."""
    in_role, people = pd.factorize(roles["person_id"])
    met = find_ids(touches["person_id"], people)
    key, person = np.divmod(np.unique(keys * len(people) + in_role), len(people))
    by_person = np.argsort(met)
    low, high = (np.searchsorted(met[by_person], person, side) for side in ("left", "right"))
    return _Entries(np.repeat(key, high - low), 0, by_person[_ranges(low, high - low)])


def _find_late_lead(touches: pd.DataFrame, conversions: pd.DataFrame, order: _Order, low: np.ndarray, high: np.ndarray,
                    lead_until: np.ndarray, days: Agreement) -> np.ndarray:
    """Find, where no touch is up to the lead's day, the first of the lead's own person within the next day; else -1."""
    found = np.full(len(low), -1)
    late = np.flatnonzero(conversions[["lead_person_id", "lead_created_at"]].notna().all(axis=1) & (low < high))
    first_at = microseconds(touches["touched_at"].take(order.entries[low[late]]))
    late = late[first_at > lead_until[late]]
    if not len(late):
        return found
    next_day = days.day_of(conversions["lead_created_at"].iloc[late]) + pd.Timedelta(days=1)
    ends = np.minimum(order.find(microseconds(days.end_of(next_day)), "right", late), high[late])
    n_late = (ends - low[late]).clip(0)
    entry, owner = _ranges(low[late], n_late), np.repeat(late, n_late)
    owners = conversions["lead_person_id"].iloc[owner]
    people = pd.Index(owners.unique())
    is_theirs = find_ids(touches["person_id"].iloc[order.entries[entry]], people) == find_ids(owners, people)
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
    values = column.astype("str") if column.name.endswith("_id") else column
    return pd.api.extensions.take(values.array, rows, allow_fill=True)


def _check_options(linking: str, lookback_days: float | None, time_zone: str, contact_roles) -> None:
    check_linking(linking)
    if linking == "role" and contact_roles is None:
        raise ValueError("linking: 'role' needs contact_roles; give them, or link by 'account'")
    check_time_zone(time_zone)
    is_number = isinstance(lookback_days, Real) and not isinstance(lookback_days, bool)
    if lookback_days is not None and not (is_number and lookback_days >= 0 and lookback_days % 1 == 0):
        raise ValueError(f"lookback_days: {lookback_days!r} is not a whole number of days from 0, or None for no limit")

def _read_touches(frame, with_people: bool) -> pd.DataFrame:
    needed = ["touch_id", *(["person_id"] if with_people else []), "account_id", "campaign_id", "touched_at"]
    touches = read_columns(frame, "touches", needed, ["kind", "joined_at", "modified_at"], as_stored=True)
    check_filled(touches, "touches", ["touch_id", "campaign_id", "touched_at"])
    check_unique(touches, "touches", "touch_id")
    return touches if "kind" in touches else touches.assign(kind=pd.Series(pd.NA, touches.index, "str"))


def _read_conversions(frame) -> pd.DataFrame:
    needed = ["conversion_id", "account_id", "person_id", "converted_at", "value"]
    conversions = read_columns(frame, "conversions", needed, list(_MILESTONES), as_stored=True)
    check_filled(conversions, "conversions", ["conversion_id", "converted_at"])
    check_unique(conversions, "conversions", "conversion_id")
    check_values(conversions, "conversions")
    unknown = {column: pd.Series(None, conversions.index, "str" if column.endswith("_id") else UTC)
               for column in _MILESTONES if column not in conversions}
    return conversions.assign(**unknown)


def _read_roles(frame) -> pd.DataFrame:
    if frame is None:
        return pd.DataFrame({"opportunity_id": [], "person_id": []}, dtype="str")
    roles = read_columns(frame, "contact_roles", ["opportunity_id", "person_id"], [], as_stored=True)
    return check_filled(roles, "contact_roles", ["opportunity_id", "person_id"])


def _check_alike(**tables: pd.DataFrame) -> None:
    ids = {(name, column): tables[name][column] for columns in ALIKE for name, column in columns
           if column in tables[name]}
    check_alike({at: str(column.dtype) if is_integer_dtype(column.dtype) else ""
                 for at, column in ids.items() if column.notna().any()})


def read_journeys(frame, *more: str) -> pd.DataFrame:
    """Take any frame's journeys in the order of build_journeys, with more of its columns, and check that each is whole.

    Raises TableError when a column or a journey's row is missing, a row stands twice, or a flag is neither true nor
    false.
    """
    needed = ["conversion_id", "touch_id", "campaign_id", "touched_at", "converted_at", "value", "position",
              "n_touches", "days_before", *FLAGS, *more]
    journeys = check_values(read_columns(frame, "journeys", needed, ["joined_at", "modified_at"]), "journeys")
    for flag in FLAGS:
        if not journeys[flag].isin([True, False]).all():
            raise TableError(f"journeys: {flag} is {journeys[flag].dtype}, not true or false in every row. Give the "
                             "journeys of build_journeys.")
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
