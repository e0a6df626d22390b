"""The one place that normalises weights, splits money to the cent, and sets models side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from attribution.frames import in_threads, microseconds
from attribution.journeys import (
    DAY_MICROSECONDS,
    FLAGS,
    JourneyArrays,
    Slices,
    chunk_ends,
    cut_slices,
    expand,
    membership_times,
    read_journeys,
)
from attribution.models import MODELS, Model, give_reasons, pick_model
from attribution.tables import first_keys, to_cents

QUANTUM_BITS = 20                                    # shares are counted in 2^-20 cents, so that engines agree


def share_credit(journeys, model: str | Model = "linear", **options) -> pd.DataFrame:
    """Share each conversion's value among its touches by a model.

    Returns one row per touch and conversion: weight (0-1) and credit (money). Per conversion the credit sums to the
    value, rounded to whole cents, exactly: leftover cents go to the largest remainders, of equal ones to the earlier
    position. A conversion without a touch keeps its whole value in one row with null touch_id and campaign_id.
    Raises ValueError for an unknown model or option, and for a model whose weights cannot be shared by; TableError for
    journeys that lack a column or rows.
    Largest remainder: Hamilton, 1792.

    >>> journeys = pd.DataFrame({"conversion_id": "deal", "touch_id": ["ad", "guide", "call"],
    ...     "campaign_id": ["LinkedIn", "Guide", "Call"], "converted_at": pd.Timestamp("2026-03-09", tz="UTC"),
    ...     "touched_at": pd.to_datetime(["2026-03-01", "2026-03-04", "2026-03-08"], utc=True), "value": 100.0,
    ...     "position": [1, 2, 3], "n_touches": 3, "days_before": [8.0, 5.0, 1.0], "is_lead_touch": False,
    ...     "is_opportunity_touch": False, "is_before_opportunity": False})
    >>> share_credit(journeys)["credit"].tolist()
    [33.34, 33.33, 33.33]
    """
    name, weigh = pick_model(model, **options)
    journeys = read_journeys(journeys)
    source = _from_table(journeys)
    shares = [_share(source.arrays(*chunk), name, weigh, source) for chunk in source.chunks]
    weight, credit = np.ones(len(journeys)), to_cents(journeys["value"])
    if shares:
        is_touched = (journeys["n_touches"] > 0).to_numpy()
        weight[is_touched], credit[is_touched] = (np.concatenate(part) for part in zip(*shares, strict=True))
    return pd.DataFrame({
        "model": pd.Series(name, journeys.index, "str"),
        **{column: journeys[column] for column in ("conversion_id", "touch_id", "campaign_id")},
        "weight": weight,
        "credit": credit / 100,
        **{column: journeys[column] for column in ("position", "is_before_opportunity")},
    })


def compare_models(journeys, models: Sequence[str] | Mapping[str, Model] | None = None,
                   effects: pd.DataFrame | None = None) -> pd.DataFrame:
    """Set models side by side, by campaign.

    Returns one row per model and campaign: credit (money), and n_conversions, the conversions that the campaign
    touched, the same under every model. The last row of a model, with null campaign_id, is what no touch can claim, if
    there is any. Per model the credit sums to the conversions' value.
    models: names, or a name of one's own for each model, such as {"7 days": partial(time_decay, half_life_days=7)}; all
    but position_based where left out.
    effects: removal effects (markov), by which model "markov" then shares the same money too.
    Raises what share_credit raises.

    >>> journeys = pd.DataFrame({"conversion_id": "deal", "touch_id": ["ad", "guide"],
    ...     "campaign_id": ["LinkedIn", "Guide"], "converted_at": pd.Timestamp("2026-03-09", tz="UTC"),
    ...     "touched_at": pd.to_datetime(["2026-03-01", "2026-03-08"], utc=True), "value": 100.0,
    ...     "position": [1, 2], "n_touches": 2, "days_before": [8.0, 1.0], "is_lead_touch": False,
    ...     "is_opportunity_touch": False, "is_before_opportunity": False})
    >>> compare_models(journeys, ["linear", "last_touch"])
            model campaign_id  credit  n_conversions
    0      linear       Guide    50.0              1
    1      linear    LinkedIn    50.0              1
    2  last_touch       Guide   100.0              1
    3  last_touch    LinkedIn     0.0              1
    """
    journeys = read_journeys(journeys)
    compared = _sum_by_campaign([_from_table(journeys)], _pick_models(models))
    if effects is None:
        return compared
    from attribution.path_models import share_by_effect  # scipy: as long to import as all the rest
    return pd.concat([compared, share_by_effect(journeys, effects)], ignore_index=True)


def credit_by_campaign(touches, conversions, models: Sequence[str] | Mapping[str, Model] | None = None,
                       contact_roles=None, *, linking: str = "hybrid", lookback_days: float | None = 365,
                       time_zone: str = "UTC", to_the_cent: bool = True) -> pd.DataFrame:
    """Set models side by side, by campaign, straight from the touches: no row per touch and conversion is kept.

    Returns what compare_models returns for the journeys of build_journeys with the same options, to the cent. With
    to_the_cent=False no conversion's money is split into whole cents: a campaign's credit may be off by a cent for each
    of its touches that count, and the sum by half a cent for each campaign. A model of one's own may be called from
    several threads at a time.
    Raises what build_journeys and share_credit raise.

    >>> touches = pd.DataFrame({"touch_id": ["ad", "guide"], "person_id": "Ann", "account_id": "Acme",
    ...     "campaign_id": ["LinkedIn", "Guide"], "touched_at": pd.to_datetime(["2026-03-01", "2026-03-08"])})
    >>> deal = pd.DataFrame({"conversion_id": ["deal"], "account_id": "Acme", "person_id": None,
    ...     "converted_at": pd.to_datetime(["2026-03-09"]), "value": 10000.0})
    >>> credit_by_campaign(touches, deal, ["j_shaped"])
          model campaign_id  credit  n_conversions
    0  j_shaped       Guide  7500.0              1
    1  j_shaped    LinkedIn  2500.0              1
    """
    picked = _pick_models(models)
    parts = cut_slices(touches, conversions, contact_roles, linking, lookback_days, time_zone)
    return _sum_by_campaign([_from_slices(slices) for slices in parts], picked, to_the_cent)


def explain(journeys, conversion_id: str, model: str | Model = "linear", **options) -> pd.DataFrame:
    """Explain, touch by touch, why a campaign got its share of a conversion.

    Returns one row per touch of the conversion: raw_weight (the model's), weight (0-1), credit (money) and the reason
    in words; the rows sum to the conversion's value.
    Raises ValueError when there is no such conversion, and what share_credit raises.

    >>> journeys = pd.DataFrame({"conversion_id": "deal", "touch_id": ["ad", "guide"], "person_id": "Ann",
    ...     "campaign_id": ["LinkedIn", "Guide"], "converted_at": pd.Timestamp("2026-03-09", tz="UTC"),
    ...     "touched_at": pd.to_datetime(["2026-03-01", "2026-03-08"], utc=True), "value": 100.0,
    ...     "position": [1, 2], "n_touches": 2, "days_before": [8.0, 1.0], "is_lead_touch": False,
    ...     "is_opportunity_touch": False, "is_before_opportunity": False})
    >>> explain(journeys, "deal", "j_shaped")[["campaign_id", "credit", "reason"]]
      campaign_id  credit                         reason
    0    LinkedIn    25.0  first touch 20, of 80 present
    1       Guide    75.0   last touch 60, of 80 present
    """
    journeys = read_journeys(journeys, "person_id")
    one = journeys[journeys["conversion_id"] == str(conversion_id)].reset_index(drop=True)
    if one.empty:
        raise ValueError(f"conversion_id: {conversion_id!r} is not in journeys")
    credit = share_credit(one, model, **options)[["weight", "credit"]]
    raw, reason = [np.nan], ["no touch within the look-back: unattributed"]
    source = _from_table(one)
    for chunk in source.chunks:
        arrays = source.arrays(*chunk)
        raw = np.asarray(pick_model(model, **options)[1](arrays), float)
        reason = give_reasons(arrays, raw, model, **options)
    about = one[["position", "touch_id", "campaign_id", "person_id", "touched_at", "days_before"]]
    return about.assign(raw_weight=raw, **credit, reason=pd.Series(reason, one.index, "str"))


def credit_by_position(credit: pd.DataFrame) -> pd.DataFrame:
    """Sum credit by the place in the journey at which a campaign earned it.

    Returns one row per campaign and position: campaign_id, position (1..n), credit (money). Of model "shapley" this is
    the ordered Shapley value: what a campaign is worth as the first, second, ... step (Zhao, Mahboobi & Bagheri 2018);
    over its positions it sums to the campaign's Shapley value.

    >>> credit = pd.DataFrame({"campaign_id": ["ad", "ad", "guide"], "position": [1, 1, 2], "credit": [5.0, 1.5, 5.0]})
    >>> credit_by_position(credit)["credit"].tolist()
    [6.5, 5.0]
    """
    met = credit[credit["campaign_id"].notna()]
    return met.groupby(["campaign_id", "position"], as_index=False)["credit"].sum().round({"credit": 2})


@dataclass(frozen=True)
class _Source:
    ids: pd.Series                                   # of the conversions, by their number
    cents: np.ndarray                                # their values
    is_touched: np.ndarray
    campaigns: pd.Index                              # what the campaign codes mean
    chunks: list[tuple[int, int]]                    # first conversion, and the one after the last
    arrays: Callable[[int, int], JourneyArrays]      # the journeys of such a run


def _from_slices(slices: Slices) -> _Source:
    n_touches = slices.high - slices.low
    return _Source(slices.conversions["conversion_id"], to_cents(slices.conversions["value"]), n_touches > 0,
                   slices.campaigns, _cut(n_touches), lambda first, last: expand(slices, first, last)[0])


def _from_table(journeys: pd.DataFrame) -> _Source:
    is_start = (journeys["position"] <= 1).to_numpy()
    conversions = journeys.loc[is_start, ["conversion_id", "value", "n_touches"]]
    n_touches = conversions["n_touches"].to_numpy()
    codes, campaigns = pd.factorize(journeys["campaign_id"], sort=True)
    arrays = _arrays(journeys, np.cumsum(is_start) - 1, codes).part((journeys["n_touches"] > 0).to_numpy())
    starts = np.append(0, np.cumsum(n_touches))
    return _Source(conversions["conversion_id"], to_cents(conversions["value"]), n_touches > 0, campaigns,
                   _cut(n_touches), lambda first, last: arrays.part(slice(starts[first], starts[last])))


def _cut(n_touches: np.ndarray) -> list[tuple[int, int]]:
    return [(first, last) for first, last in chunk_ends(n_touches) if n_touches[first:last].any()]


def _arrays(journeys: pd.DataFrame, conversion: np.ndarray, campaign: np.ndarray) -> JourneyArrays:
    n_touches = journeys["n_touches"].to_numpy(np.int64)
    touched_at = microseconds(journeys["touched_at"])
    ends = np.flatnonzero(journeys["position"] == n_touches)
    last_at = np.repeat(touched_at[ends], np.maximum(n_touches[ends], 1))
    return JourneyArrays(
        conversion, journeys["position"].to_numpy(np.int64), n_touches, campaign,
        age_days=(last_at - touched_at) / DAY_MICROSECONDS, days_before=journeys["days_before"].to_numpy(float),
        **{flag: journeys[flag].to_numpy(bool) for flag in FLAGS}, **membership_times(journeys))


def _pick_models(models: Sequence[str] | Mapping[str, Model] | None) -> dict[str, Model]:
    if isinstance(models, str):
        raise ValueError(f"models: give several, as in [{models!r}]")
    models = [name for name in MODELS if name != "position_based"] if models is None else models
    if not len(models):
        raise ValueError("models: none is given. Give one or more, as in ['linear']")
    if isinstance(models, Mapping):
        return {name: pick_model(model)[1] for name, model in models.items()}
    picked = [pick_model(model) for model in models]
    repeated = pd.Series([name for name, _ in picked]).duplicated()
    if repeated.any():
        raise ValueError(f"models: {picked[repeated.argmax()][0]!r} stands twice. Give each a name of its own, as in "
                         "{'7 days': partial(time_decay, half_life_days=7)}")
    return dict(picked)


def _share(arrays: JourneyArrays, name: str, weigh: Model, source: _Source) -> tuple[np.ndarray, np.ndarray]:
    """Give each touch its weight, and its credit in whole cents."""
    raw, total = _weigh(arrays, name, weigh, source)
    weight = raw / arrays.spread(total)
    return weight, _split(weight, source.cents[arrays.conversion], arrays)


def _weigh(arrays: JourneyArrays, name: str, weigh: Model, source: _Source) -> tuple[np.ndarray, np.ndarray]:
    """Give each touch its raw weight, and each journey their sum."""
    raw = np.asarray(weigh(arrays), float)
    if raw.shape != arrays.position.shape:
        raise ValueError(f"model: {name!r} gave {raw.size:,} weights for {arrays.position.size:,} touches")
    with np.errstate(over="ignore", invalid="ignore"):                  # refused just below
        total = np.add.reduceat(raw, arrays.starts)
    is_wrong = ~(np.isfinite(total) & (total > 0))
    if is_wrong.any() or raw.min() < 0:
        is_wrong |= np.minimum.reduceat(raw, arrays.starts) < 0
        ids = source.ids.iloc[arrays.conversion[arrays.starts[is_wrong]]]
        raise ValueError(f"model: {name!r} gave weights that are negative, not finite or all zero in {len(ids):,} "
                         f"journeys ({first_keys(ids)})")
    return raw, total


def _split(weight: np.ndarray, cents: np.ndarray, arrays: JourneyArrays) -> np.ndarray:
    """Split each journey's cents by weight, whole, leftover ones to the largest remainders."""
    share = np.rint(weight * np.abs(cents) * 2**QUANTUM_BITS).astype(np.int64)
    whole, remainder = share >> QUANTUM_BITS, share & (1 << QUANTUM_BITS) - 1
    if remainder.any():
        left = np.abs(cents) - arrays.journey_sum(whole)         # fewer than the journey has touches
        whole[_by_remainder(remainder, arrays)] += arrays.position <= left
    return np.sign(cents) * whole


def _by_remainder(remainder: np.ndarray, arrays: JourneyArrays) -> np.ndarray:
    """Order the rows within each journey by remainder, the largest first: its k-th largest stands in its k-th row."""
    if (remainder == arrays.spread(remainder[arrays.starts])).all():
        return np.arange(len(remainder))
    index_bits = len(remainder).bit_length()
    packed = np.sort(((arrays.owner + 1 << QUANTUM_BITS) - remainder << index_bits) | np.arange(len(remainder)))
    return packed & (1 << index_bits) - 1


def _sum_by_campaign(sources: list[_Source], models: dict[str, Model], to_the_cent: bool = True) -> pd.DataFrame:
    """Sum cents by model and campaign: chunk by chunk, on all cores, added in order."""
    campaigns = sources[0].campaigns
    sums = np.zeros((len(models), len(campaigns)), np.int64 if to_the_cent else float)
    n_conversions = np.zeros(len(campaigns), np.int64)
    chunks = [(each, chunk) for each in sources for chunk in each.chunks]
    for part, n_met in in_threads(lambda where: _sum_chunk(*where, models, to_the_cent), chunks):
        sums += part
        n_conversions += n_met
    by_campaign = pd.DataFrame({
        "model": pd.Series(np.repeat(list(models), len(campaigns)), dtype="str"),
        "campaign_id": pd.Series(np.tile(campaigns, len(models)), dtype="str"),
        "credit": np.rint(sums.ravel()) / 100, "n_conversions": np.tile(n_conversions, len(models))})
    untouched = np.concatenate([each.cents[~each.is_touched] for each in sources])
    return _add_unattributed(by_campaign[by_campaign["n_conversions"] > 0], untouched, models)


def _sum_chunk(source: _Source, chunk: tuple[int, int], models: dict[str, Model],
               to_the_cent: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sum a run of journeys: cents by model and campaign, conversions by campaign."""
    arrays, n_campaigns = source.arrays(*chunk), len(source.campaigns)
    split = _sum_cents if to_the_cent else _sum_shares
    sums = [split(arrays, name, weigh, source) for name, weigh in models.items()]
    pairs = np.sort(arrays.conversion * n_campaigns + arrays.campaign)
    met = pairs[np.append(True, pairs[1:] != pairs[:-1])] % n_campaigns
    return np.array(sums), np.bincount(met, minlength=n_campaigns)


def _sum_cents(arrays: JourneyArrays, name: str, weigh: Model, source: _Source) -> np.ndarray:
    sums = np.zeros(len(source.campaigns), np.int64)
    np.add.at(sums, arrays.campaign, _share(arrays, name, weigh, source)[1])
    return sums


def _sum_shares(arrays: JourneyArrays, name: str, weigh: Model, source: _Source) -> np.ndarray:
    raw, total = _weigh(arrays, name, weigh, source)
    money = arrays.spread(source.cents[arrays.conversion[arrays.starts]] / total)
    return np.bincount(arrays.campaign, raw * money, len(source.campaigns))


def _add_unattributed(by_campaign: pd.DataFrame, cents: np.ndarray, models: dict[str, Model]) -> pd.DataFrame:
    if not len(cents):
        return by_campaign.reset_index(drop=True)
    rest = pd.DataFrame({"model": pd.Series(list(models), dtype="str"), "campaign_id": pd.Series(None, dtype="str"),
                         "credit": cents.sum() / 100, "n_conversions": len(cents)})
    order = {name: i for i, name in enumerate(models)}
    return pd.concat([by_campaign, rest]).sort_values("model", key=lambda column: column.map(order), kind="stable",
                                                      ignore_index=True)
