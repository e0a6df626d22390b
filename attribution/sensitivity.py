"""How much a campaign's credit owes to the report's own settings: each turned alone, the others as they are."""

from collections.abc import Iterable
from functools import partial

import pandas as pd

from attribution.campaigns import describe_tree
from attribution.comparisons import roll_up_models
from attribution.credit import credit_by_campaign
from attribution.funnel import LINKINGS
from attribution.models import DIALECTS, MODELS, WEIGHTS, Model, time_decay
from attribution.roi import LEFT_OUT, UNATTRIBUTED, choose_model
from attribution.tables import look_up

HALF_LIVES = (7, 14, 30, 60, 90)                     # days
LOOK_BACKS = (90, 180, 365, 730, None)               # days; None: no limit
NO_LIMIT = "none"
PLACE = ["campaign_id", "campaign_name", "path", "depth", "is_leaf"]
#: The readings that differ from ours by more than the weights of the places.
_UNLIKE_OURS = (("first_touch", "salesforce"), ("last_touch", "salesforce"), ("linear", "salesforce"),
                ("time_decay", "hubspot"))
_DATED_BY_MEMBERSHIP = ("first_touch", "last_touch")
_ROOM = 0.3                                          # of the widest distance, on either side, for words beside it


def credit_sensitivity(touches: pd.DataFrame, conversions: pd.DataFrame, campaigns: pd.DataFrame,
                       contact_roles: pd.DataFrame | None = None, *, model: str = "linear",
                       half_life_days: float = 30, lookback_days: int | None = 365, linking: str = "hybrid",
                       time_zone: str = "UTC") -> pd.DataFrame:
    """Show what every campaign earns when one setting is turned and the others stay as the report has them.

    The settings are half_life (always of time decay), look_back, linking, and dialect: the vendors' readings of the
    model, or of u_shaped where all vendors read the model alike.
    Returns one row per setting, option and campaign with credit under any: setting, model (whose credit it is), option
    (as text), the campaign's place in the tree, credit (money, with children), is_chosen (the credit is the report's
    own). After the campaigns, without a campaign_id, stand "(left out of the tree)" and "(unattributed)". Under each
    option the roots and these sum to the conversions' value, to the cent.
    Raises what credit_by_campaign and choose_model raise.
    """
    roles = pd.DataFrame({"opportunity_id": [], "person_id": []}) if contact_roles is None else contact_roles
    share = partial(credit_by_campaign, touches, conversions, contact_roles=roles, time_zone=time_zone)
    own, as_is = choose_model(model, half_life_days), {"lookback_days": lookback_days, "linking": linking}
    read, readings = _read_by_vendors(model, half_life_days, touches)
    decays = {f"{days:g}": partial(time_decay, half_life_days=days) for days in _with_own(HALF_LIVES, half_life_days)}
    windows = {_name(days): days for days in _with_own(LOOK_BACKS, lookback_days)}
    parts = {
        ("half_life", "time_decay", f"{half_life_days:g}"): share(decays, **as_is),
        ("look_back", model, _name(lookback_days)): pd.concat(
            [share({name: own}, lookback_days=days, linking=linking) for name, days in windows.items()]),
        ("linking", model, linking): pd.concat(
            [share({each: own}, lookback_days=lookback_days, linking=each) for each in LINKINGS]),
        ("dialect", read, "ours"): share(readings, **as_is)}
    moves = pd.concat([_place(compared, campaigns, setting, of, chosen if of == model else None)
                       for (setting, of, chosen), compared in parts.items()])
    ids = moves["campaign_id"].fillna(moves["path"])
    return moves[ids.isin(ids[moves["credit"] != 0])].reset_index(drop=True)


def _name(days: float | None) -> str:
    return NO_LIMIT if days is None else f"{days:g}"


def _with_own(options: Iterable, own: float | None) -> list:
    """Put the report's own value among the options, in order; no limit is the last."""
    return sorted({*options, own}, key=lambda days: (days is None, days or 0))


def _read_by_vendors(model: str, half_life_days: float, touches: pd.DataFrame) -> tuple[str, dict[str, Model]]:
    """Give the model that the vendors read, and each of their readings that this export allows."""
    dialects = _dialects(model, touches)
    if len(dialects) == 1:
        return "u_shaped", {dialect: partial(MODELS["u_shaped"], dialect=dialect)
                            for dialect in _dialects("u_shaped", touches)}
    return model, {"ours": choose_model(model, half_life_days)} | {
        dialect: partial(MODELS[model], dialect=dialect) for dialect in dialects if dialect != "ours"}


def _dialects(model: str, touches: pd.DataFrame) -> list[str]:
    """List our own reading of a model and the vendors' that differ from it."""
    weights = WEIGHTS.get(model, {"ours": {}})
    differ = [each for each in DIALECTS if each in weights
              and (weights[each] != weights["ours"] or (model, each) in _UNLIKE_OURS)]
    is_dated = {"joined_at", "modified_at"} <= set(touches)
    return ["ours", *[each for each in differ
                      if is_dated or each != "salesforce" or model not in _DATED_BY_MEMBERSHIP]]


def _place(compared: pd.DataFrame, campaigns: pd.DataFrame, setting: str, model: str,
           chosen: str | None) -> pd.DataFrame:
    """Roll one setting's credit up and put it in the tree's reading order, an option after the other."""
    options = compared["model"].drop_duplicates().tolist()
    sums = roll_up_models(compared, campaigns).reindex(columns=options)
    beside = pd.DataFrame({"campaign_name": [LEFT_OUT, UNATTRIBUTED], "path": [LEFT_OUT, UNATTRIBUTED], "depth": 0,
                           "is_leaf": True})
    tree = pd.concat([describe_tree(campaigns, "leave_out")[PLACE], beside], ignore_index=True)
    wide = tree.assign(**sums.loc[tree["campaign_id"].fillna(tree["path"])].reset_index(drop=True))
    rows = wide.melt(PLACE, options, "option", "credit").astype({"credit": float})
    rows = rows.assign(setting=setting, model=model)
    return rows.assign(is_chosen=rows["option"] == chosen)[["setting", "model", "option", *PLACE, "credit",
                                                            "is_chosen"]]


def sensitivity_ranges(moves: pd.DataFrame) -> pd.DataFrame:
    """Sum up how far each setting moves each campaign.

    Returns one row per campaign and setting: setting, model, the campaign's place in the tree, credit (the report's
    own, money), credit_low and credit_high over the options, option_low, option_high, spread_share (their distance over
    the credit; blank where the report credits nothing); the widest first.
    """
    rows = moves[moves["campaign_id"].notna()].reset_index(drop=True)
    own = rows[rows["is_chosen"]].drop_duplicates("campaign_id").set_index("campaign_id")["credit"]
    credits = rows.groupby(["campaign_id", "setting"], sort=False)["credit"]
    low, high = (rows.loc[each].reset_index(drop=True) for each in (credits.idxmin(), credits.idxmax()))
    ends = low.rename(columns={"credit": "credit_low", "option": "option_low"}).assign(
        credit_high=high["credit"], option_high=high["option"])
    credit = look_up(ends["campaign_id"], own)
    spread = (ends["credit_high"] - ends["credit_low"]).round(2) / credit.where(credit > 0)
    return ends.assign(credit=credit, spread_share=spread).sort_values(
        ["spread_share", "campaign_id", "setting"], ascending=[False, True, True], ignore_index=True)[
        ["setting", "model", *PLACE, "credit", "credit_low", "option_low", "credit_high", "option_high",
         "spread_share"]]


def find_most_credited(ranges: pd.DataFrame, n: int = 20) -> pd.DataFrame:
    """Keep the single campaigns that the report credits most: the others' shares are of next to nothing."""
    credit = ranges[ranges["is_leaf"] & (ranges["credit"] > 0)].drop_duplicates("campaign_id").sort_values(
        ["credit", "campaign_id"], ascending=[False, True])
    return ranges[ranges["campaign_id"].isin(credit["campaign_id"].head(n))].reset_index(drop=True)


def pick_movers(moves: pd.DataFrame, ranges: pd.DataFrame, n: int = 8) -> pd.DataFrame:
    """Pick the campaigns that any one setting moves most, of the ranges given.

    Returns their rows of `moves`, the widest campaign first, with own_share (credit over the report's own credit),
    is_lowest and is_highest (of a campaign's options of one setting, the first of equal ones), and what an axis from
    the lowest to the highest of them takes, with room for words: axis_low, axis_high.
    """
    widest = ranges[ranges["spread_share"] > 0].drop_duplicates("campaign_id").head(n)
    order = {campaign: place for place, campaign in enumerate(widest["campaign_id"])}
    rows = moves[moves["campaign_id"].isin(order)].sort_values(
        "campaign_id", key=lambda ids: ids.map(order), kind="stable", ignore_index=True)
    share = rows["credit"] / look_up(rows["campaign_id"], widest.set_index("campaign_id")["credit"])
    low, high, of = share.min(), share.max(), share.groupby([rows["campaign_id"], rows["setting"]])
    return rows.assign(own_share=share, is_lowest=rows.index.isin(of.idxmin()), is_highest=rows.index.isin(of.idxmax()),
                       axis_low=low - _ROOM * (high - low), axis_high=high + _ROOM * (high - low))
