"""Rule models: a function of whole journeys as flat arrays, returning one raw weight per touch.

Only the weights' proportions within a journey matter: `credit.py` normalises them. A place (first touch, lead
creation, opportunity creation, last touch) adds its weight to the touch that holds it; the rest share theirs equally.
Where a place is missing, or nothing is left for the rest, the weights present are scaled up. `dialect` picks a vendor's
reading.
"""

import inspect
from collections.abc import Callable
from functools import partial
from math import isfinite
from numbers import Real

import numpy as np

from attribution.journeys import JourneyArrays
from attribution.tables import TableError

Model = Callable[..., np.ndarray]

DIALECTS = ("ours", "hubspot", "marketo_measure", "dreamdata", "salesforce")
PLACES = {"first": "first touch", "lead": "lead creation", "opportunity": "opportunity creation", "last": "last touch"}

_FIRST, _LAST = {"first": 100}, {"last": 100}
_U = {"first": 40, "lead": 40, "rest": 20}
_W = {"first": 30, "lead": 30, "opportunity": 30, "rest": 10}
_FULL = {"first": 22.5, "lead": 22.5, "opportunity": 22.5, "last": 22.5, "rest": 10}
_J = {"first": 20, "last": 60, "rest": 20}
_INVERSE_J = {"first": 60, "last": 20, "rest": 20}

#: The weight of each place, by model and dialect. A dialect that is not listed has no such model.
WEIGHTS: dict[str, dict[str, dict[str, float]]] = {
    "first_touch": {"ours": _FIRST, "hubspot": _FIRST, "marketo_measure": _FIRST, "dreamdata": _FIRST,
                    "salesforce": {}},
    "last_touch": {"ours": _LAST, "hubspot": _LAST, "marketo_measure": {"lead": 100}, "dreamdata": _LAST,
                   "salesforce": {}},
    "linear": {"ours": {}, "hubspot": {}, "dreamdata": {}, "salesforce": {}},
    "time_decay": {"ours": {}, "hubspot": {}},
    "u_shaped": {"ours": _U, "hubspot": _U, "marketo_measure": {"first": 50, "lead": 50},
                 "dreamdata": {"first": 40, "last": 40, "rest": 20}},
    "w_shaped": {"ours": _W, "hubspot": _W, "marketo_measure": _W,
                 "dreamdata": {"first": 30, "last": 30, "lead": 30, "rest": 10}},
    "full_path": {"ours": _FULL, "hubspot": _FULL, "marketo_measure": _FULL},
    "j_shaped": {"ours": _J, "hubspot": _J},
    "inverse_j": {"ours": _INVERSE_J, "hubspot": _INVERSE_J},
    "position_based": {"ours": {}, "marketo_measure": {}},
    "shapley": {"ours": {}},
}
HALF_LIFE_DAYS = {"ours": 30, "hubspot": 7}


def first_touch(journeys: JourneyArrays, *, dialect: str = "ours") -> np.ndarray:
    """Weigh the first touch alone; in dialect salesforce the touch with the earliest joined_at.

    >>> three = JourneyArrays(np.zeros(3), np.array([1, 2, 3]), np.array([3, 3, 3]))
    >>> first_touch(three).tolist()
    [100.0, 0.0, 0.0]
    """
    weights = _weights("first_touch", dialect)
    if dialect == "salesforce":
        return _is_earliest(journeys, _membership(journeys, "joined_at")).astype(float)
    return _place(journeys, weights)


def last_touch(journeys: JourneyArrays, *, dialect: str = "ours") -> np.ndarray:
    """Weigh the last touch alone.

    In dialect salesforce it is the touch with the latest modified_at; in marketo_measure the one that created the lead,
    or, where none did, the last.

    >>> three = JourneyArrays(np.zeros(3), np.array([1, 2, 3]), np.array([3, 3, 3]))
    >>> last_touch(three).tolist()
    [0.0, 0.0, 100.0]
    """
    weights = _weights("last_touch", dialect)
    if dialect == "salesforce":
        return _is_earliest(journeys, -_membership(journeys, "modified_at")).astype(float)
    placed = _place(journeys, weights)
    return np.where(journeys.journey_sum(placed) > 0, placed, _place(journeys, _LAST))


def linear(journeys: JourneyArrays, *, dialect: str = "ours") -> np.ndarray:
    """Weigh every touch equally; in dialect salesforce every campaign equally, and its touches among themselves.

    >>> three = JourneyArrays(np.zeros(3), np.array([1, 2, 3]), np.array([3, 3, 3]), campaign=np.array([7, 7, 8]))
    >>> linear(three).tolist(), linear(three, dialect="salesforce").tolist()
    ([1.0, 1.0, 1.0], [0.5, 0.5, 1.0])
    """
    _weights("linear", dialect)
    return 1 / _n_of_campaign(journeys) if dialect == "salesforce" else np.ones(len(journeys.position))


def time_decay(journeys: JourneyArrays, *, half_life_days: float | None = None, dialect: str = "ours") -> np.ndarray:
    """Halve the weight with every half-life (30 days; HubSpot 7) that a touch is older than the journey's last.

    weight = 2^(-age / half_life). HubSpot counts the age from the conversion: the same shares, but old journeys would
    underflow to nothing.

    >>> pair = JourneyArrays(np.zeros(2), np.array([1, 2]), np.array([2, 2]), age_days=np.array([7.0, 0.0]))
    >>> time_decay(pair, half_life_days=7).tolist()
    [0.5, 1.0]
    """
    return np.exp2(-journeys.age_days / _half_life(half_life_days, dialect))


def u_shaped(journeys: JourneyArrays, *, dialect: str = "ours") -> np.ndarray:
    """Weigh 40 the first touch, 40 lead creation, 20 the rest; dialects differ.

    Marketo Measure has 50 / 50 / 0; Dreamdata weighs the last touch where others weigh lead creation.

    >>> four = JourneyArrays(np.zeros(4), np.array([1, 2, 3, 4]), np.array([4, 4, 4, 4]),
    ...     is_lead_touch=np.array([False, True, False, False]))
    >>> u_shaped(four).tolist(), u_shaped(four, dialect="dreamdata").tolist()
    ([40.0, 40.0, 10.0, 10.0], [40.0, 10.0, 10.0, 40.0])
    """
    return _place(journeys, _weights("u_shaped", dialect))


def w_shaped(journeys: JourneyArrays, *, dialect: str = "ours") -> np.ndarray:
    """Weigh 30 the first touch, 30 lead creation, 30 opportunity creation, 10 the rest.

    Dreamdata weighs first touch, last touch and lead creation (its "touches containing conversions").

    >>> pair = JourneyArrays(np.zeros(2), np.array([1, 2]), np.array([2, 2]), is_lead_touch=np.array([False, True]),
    ...     is_opportunity_touch=np.array([False, True]))
    >>> w_shaped(pair).tolist()
    [30.0, 60.0]
    """
    return _place(journeys, _weights("w_shaped", dialect))


def full_path(journeys: JourneyArrays, *, dialect: str = "ours") -> np.ndarray:
    """Weigh 22.5 each the first touch, lead creation, opportunity creation and the last touch, 10 the rest.

    >>> pair = JourneyArrays(np.zeros(2), np.array([1, 2]), np.array([2, 2]), is_lead_touch=np.array([False, True]),
    ...     is_opportunity_touch=np.array([False, True]))
    >>> full_path(pair).tolist()
    [22.5, 67.5]
    """
    return _place(journeys, _weights("full_path", dialect))


def j_shaped(journeys: JourneyArrays, *, dialect: str = "ours") -> np.ndarray:
    """Weigh 20 the first touch, 60 the last, 20 the rest.

    >>> three = JourneyArrays(np.zeros(3), np.array([1, 2, 3]), np.array([3, 3, 3]))
    >>> j_shaped(three).tolist()
    [20.0, 20.0, 60.0]
    """
    return _place(journeys, _weights("j_shaped", dialect))


def inverse_j(journeys: JourneyArrays, *, dialect: str = "ours") -> np.ndarray:
    """Weigh 60 the first touch, 20 the last, 20 the rest.

    >>> three = JourneyArrays(np.zeros(3), np.array([1, 2, 3]), np.array([3, 3, 3]))
    >>> inverse_j(three).tolist()
    [60.0, 20.0, 20.0]
    """
    return _place(journeys, _weights("inverse_j", dialect))


def shapley(journeys: JourneyArrays, *, dialect: str = "ours") -> np.ndarray:
    """Weigh every campaign of a journey equally, and its touches among themselves: the Shapley value.

    It is exact for the worth v(S) of the conversions whose distinct campaigns all lie within S: each conversion is a
    unanimity game of its campaigns, which its members share equally (Shapley 1953; the simplified formula of Zhao,
    Mahboobi & Bagheri 2018). Non-converting journeys have no part in this v; shapley_rates is for those.

    >>> three = JourneyArrays(np.zeros(3), np.array([1, 2, 3]), np.array([3, 3, 3]), campaign=np.array([7, 7, 8]))
    >>> shapley(three).tolist()
    [0.5, 0.5, 1.0]
    """
    _weights("shapley", dialect)
    return 1 / _n_of_campaign(journeys)


def position_based(journeys: JourneyArrays, *, first: float = 0, lead: float = 0, opportunity: float = 0,
                   last: float = 0, rest: float = 0, dialect: str = "ours") -> np.ndarray:
    """Weigh the places as the caller says.

    A place without weight is no place: its touch belongs to the rest. A journey in which no weighted place is held is
    shared equally.

    >>> three = JourneyArrays(np.zeros(3), np.array([1, 2, 3]), np.array([3, 3, 3]))
    >>> position_based(three, first=2, last=1, rest=1).tolist()
    [2.0, 1.0, 1.0]
    """
    _weights("position_based", dialect)
    weights = {"first": first, "lead": lead, "opportunity": opportunity, "last": last, "rest": rest}
    placed = _place(journeys, _check_weights(weights))
    return np.where(journeys.journey_sum(placed) > 0, placed, 1.0)


MODELS: dict[str, Model] = {model.__name__: model for model in (
    first_touch, last_touch, linear, time_decay, u_shaped, w_shaped, full_path, j_shaped, inverse_j, shapley,
    position_based)}


def pick_model(model: str | Model, **options) -> tuple[str, Model]:
    """Find a model by its name, or take the caller's own function, and bind the options.

    Returns the model's name and a function of the arrays alone.
    Raises ValueError when there is no such model or option.

    >>> pick_model("lineer")
    Traceback (most recent call last):
    ValueError: model: 'lineer' is not one of first_touch, last_touch, linear, time_decay, u_shaped, w_shaped, \
full_path, j_shaped, inverse_j, shapley, position_based
    """
    name, function, options = _unwrap(model, options)
    if function not in MODELS.values():
        return name, partial(function, **options)
    known = list(inspect.signature(function).parameters)[1:]
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ValueError(f"{unknown[0]}: is not an option of {name}, which has {', '.join(known)}")
    return name, partial(function, **options)


def _unwrap(model: str | Model, options: dict) -> tuple[str, Model, dict]:
    if isinstance(model, partial) and not model.args:
        return _unwrap(model.func, model.keywords | options)
    if callable(model):
        return getattr(model, "__name__", type(model).__name__), model, options
    if model not in MODELS:
        raise ValueError(f"model: {model!r} is not one of {', '.join(MODELS)}")
    return model, MODELS[model], options


def give_reasons(journeys: JourneyArrays, raw: np.ndarray, model: str | Model, **options) -> list[str]:
    """Say in plain words why each touch of one journey has its weight.

    >>> pair = JourneyArrays(np.zeros(2), np.array([1, 2]), np.array([2, 2]))
    >>> give_reasons(pair, j_shaped(pair), "j_shaped")
    ['first touch 20, of 80 present', 'last touch 60, of 80 present']
    """
    _, function, options = _unwrap(model, options)
    dialect = options.get("dialect", "ours")
    if function is time_decay:
        half_life = _half_life(options.get("half_life_days"), dialect)
        return [f"{age:.6g} days before the last touch, half-life {half_life:g} days" for age in journeys.age_days]
    if function in (linear, shapley):
        return _equal_reasons(journeys, function is shapley or dialect == "salesforce")
    if function in (first_touch, last_touch) and dialect == "salesforce":
        which = "earliest joined" if function is first_touch else "latest edited"
        return [f"{'' if weight else 'not '}the {which} membership" for weight in raw]
    weights = options if function is position_based else WEIGHTS.get(function.__name__, {}).get(dialect, {})
    return _place_reasons(journeys, raw, weights)


def _equal_reasons(journeys: JourneyArrays, by_campaign: bool) -> list[str]:
    if not by_campaign:
        return [f"1 of {n} touches" for n in journeys.n_touches]
    n_touches = _n_of_campaign(journeys)
    n_campaigns = round((1 / n_touches).sum())
    return [f"1 of {n} touches of the campaign, which is 1 of {n_campaigns}" for n in n_touches]


def _place_reasons(journeys: JourneyArrays, raw: np.ndarray, weights: dict[str, float]) -> list[str]:
    held = _held(journeys, weights)
    words = {place: f"{PLACES[place]} {weights[place]:g}" for place in held if place != "rest"}
    if "rest" in held:
        words["rest"] = f"1 of {held['rest'].sum()} others that share {weights['rest']:g}"
    said = [" + ".join(words[place] for place in held if held[place][i]) for i in range(len(raw))]
    return [f"{words or f'weight {weight:g}'}, of {raw.sum():g} present"
            for words, weight in zip(said, raw, strict=True)]


def _weights(model: str, dialect: str) -> dict[str, float]:
    if dialect not in DIALECTS:
        raise ValueError(f"dialect: {dialect!r} is not one of {', '.join(DIALECTS)}")
    if dialect not in WEIGHTS[model]:
        raise ValueError(f"dialect: {dialect} has no {model}")
    return WEIGHTS[model][dialect]


def _half_life(half_life_days: float | None, dialect: str) -> float:
    _weights("time_decay", dialect)
    if half_life_days is None:
        return HALF_LIFE_DAYS[dialect]
    if not _is_number(half_life_days) or half_life_days <= 0:
        raise ValueError(f"half_life_days: {half_life_days!r} is not a number of days above 0")
    return half_life_days


def _check_weights(weights: dict[str, float]) -> dict[str, float]:
    for place, weight in weights.items():
        if not _is_number(weight) or weight < 0:
            raise ValueError(f"{place}: {weight!r} is not a weight from 0")
    if not any(weights.values()):
        raise ValueError(f"position_based: give weight to one at least of {', '.join(weights)}")
    return weights


def _is_number(value) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def _place(journeys: JourneyArrays, weights: dict[str, float]) -> np.ndarray:
    held = _held(journeys, weights)
    rest = held.pop("rest", None)
    raw = sum((weights[place] * touches for place, touches in held.items()), np.zeros(len(journeys.position)))
    if rest is None:
        return raw
    return raw + weights["rest"] * rest / np.maximum(journeys.journey_sum(rest), 1)


def _held(journeys: JourneyArrays, weights: dict[str, float]) -> dict[str, np.ndarray]:
    """Say which touches hold each place that has weight; the rest are those that hold none."""
    places = {"first": journeys.position == 1, "lead": journeys.is_lead_touch,
              "opportunity": journeys.is_opportunity_touch, "last": journeys.position == journeys.n_touches}
    held = {place: touches for place, touches in places.items() if weights.get(place)}
    if weights.get("rest"):
        held["rest"] = ~np.logical_or.reduce([*held.values(), np.zeros(len(journeys.position), bool)])
    return held


def _is_earliest(journeys: JourneyArrays, moments: np.ndarray) -> np.ndarray:
    """Mark the earliest touch of each journey; of equal ones the first by position."""
    is_earliest = np.zeros(len(moments), bool)
    is_earliest[np.lexsort((moments, journeys.conversion))[journeys.position == 1]] = True
    return is_earliest


def _membership(journeys: JourneyArrays, column: str) -> np.ndarray:
    moments = getattr(journeys, column)
    if moments is None:
        raise TableError(f"journeys: there is no column {column}, by which dialect salesforce orders touches. "
                         "Give touches with it, or take another dialect.")
    return moments


def _n_of_campaign(journeys: JourneyArrays) -> np.ndarray:
    """Count the touches that a touch's campaign has in its journey."""
    pairs = journeys.conversion.astype(np.int64) * (journeys.campaign.max() + 1) + journeys.campaign
    _, where, counts = np.unique(pairs, return_inverse=True, return_counts=True)
    return counts[where]
