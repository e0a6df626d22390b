"""What a reader is told of the models' spread, of the settings, and of what a model learned from the data says."""

import pandas as pd

from attribution.hazard import HALF_LIFE_DAYS
from attribution.language import _, count, in_number, marked, money, number, percent, plain
from attribution.path_models import MAX_CAMPAIGNS
from attribution.sensitivity import NO_LIMIT

#: What the columns of these tables are called where other tables call them otherwise, or do not have them.
MODEL_NAMES = {
    "model": marked("model"), "setting": marked("setting"), "option": marked("with"),
    "option_low": marked("lowest with"),
    "option_high": marked("highest with"), "spread_share": marked("distance, of credit"),
    "is_chosen": marked("this report's"), "first": marked("most credit"), "second": marked("second"),
    "third": marked("third"), "n_paths": marked("paths"), "n_converted": marked("of these converted"),
    "lost_share": marked("removal effect with all below, of conversions"),
    "lost_value_share": marked("removal effect with all below, of value"),
    "own_lost_share": marked("of itself alone, of conversions"),
    "own_lost_value_share": marked("of itself alone, of value"), "n_parts": marked("parts"),
    "parts_share": marked("sum of its parts, no share of anything"),
    "caused_value": marked("caused, by the regression"), "caused_low": marked("caused from"),
    "caused_high": marked("caused to"), "is_outside": marked("credit outside the interval"),
    "is_clear": marked("interval above zero"),
}
SENSITIVITY_COLUMNS = ("campaign_name", "setting", "model", "credit", "credit_low", "option_low", "credit_high",
                       "option_high", "spread_share")
OPTION_COLUMNS = ("campaign_name", "setting", "model", "option", "credit", "is_chosen")
TOP_COLUMNS = ("model", "first", "second", "third")
LOST_COLUMNS = ("campaign", "n_paths", "n_converted", "lost_share", "lost_value_share", "parts_share",
                "own_lost_share", "own_lost_value_share")
CAUSED_COLUMNS = ("campaign_name", "credit", "caused_value", "caused_low", "caused_high", "is_clear", "is_outside")
_SETTINGS = {"half_life": marked("half-life"), "look_back": marked("look-back"), "linking": marked("linking"),
             "dialect": marked("vendor")}
_VENDORS = {"hubspot": "HubSpot", "marketo_measure": "Marketo", "dreamdata": "Dreamdata",
            "salesforce": "Salesforce"}


def name_setting(setting: str) -> str:
    """Name a setting of the report for a reader.

    >>> name_setting("look_back")
    'look-back'
    """
    return _(_SETTINGS[setting])


def name_option(setting: str, option: str) -> str:
    """Name an option of a setting for a reader.

    >>> name_option("look_back", "90"), name_option("look_back", "none"), name_option("dialect", "hubspot")
    ('90 days', 'no limit', 'HubSpot')
    """
    if setting == "dialect":
        return _VENDORS.get(option) or _("our reading")
    if setting == "linking":
        return _(option)
    days = None if option == NO_LIMIT else float(option)
    return _("no limit") if days is None else in_number("{n} day", "{n} days", days).format(n=plain(days))


def label_settings(table: pd.DataFrame) -> pd.DataFrame:
    """Put settings, options and models into a reader's words."""
    options = {column: [name_option(setting, option) for setting, option in zip(
        table["setting"], table[column], strict=True)] for column in table if column.startswith("option")}
    return table.assign(**options, setting=[name_setting(each) for each in table["setting"]],
                        model=[_(each) for each in table["model"]])


def title_sensitivity(ranges: pd.DataFrame) -> str:
    """Title the settings with the one that moves the campaign in the middle most."""
    middle = _middle(ranges)
    if not (middle > 0).any():
        return _("No setting, turned alone, moves the credit of most campaigns")
    return _("The {setting} moves credit most: for the middle campaign by {share} of it").format(
        setting=name_setting(middle.index[0]), share=percent(middle.iloc[0]))


def say_sensitivity(ranges: pd.DataFrame, currency: str) -> str:
    """Say which campaign and setting move most, and how much each setting moves the campaign in the middle."""
    moved = ranges[ranges["spread_share"] > 0]
    if not len(moved):
        return _("No setting, turned alone, moves any campaign's credit.")
    most = moved.iloc[0]
    sums = {name: money(most[name], currency) for name in ("credit", "credit_low", "credit_high")}
    options = {name: name_option(most["setting"], most[name]) for name in ("option_low", "option_high")}
    first = _("Changed alone, the {setting} moves {campaign} most: from {credit_low} ({option_low}) to {credit_high} "
              "({option_high}), where this report says {credit}.").format(
        campaign=most["campaign_name"], setting=name_setting(most["setting"]), **sums, **options)
    return " ".join([first, _say_middle(ranges), *_say_other_models(ranges)])


def _middle(ranges: pd.DataFrame) -> pd.Series:
    middle = ranges.groupby("setting")["spread_share"].median().reindex(list(_SETTINGS)).dropna()
    return middle.sort_values(ascending=False, kind="stable")


def _say_middle(ranges: pd.DataFrame) -> str:
    said = ", ".join(f"{name_setting(setting)} {percent(share)}" for setting, share in _middle(ranges).items())
    among = count(ranges["campaign_id"].nunique(), "campaign")
    return _("The middle one of the {campaigns} with the most credit moves, from lowest to highest, by this share of "
             "its credit: {settings}.").format(campaigns=among, settings=said)


def _say_other_models(ranges: pd.DataFrame) -> list[str]:
    """Say which settings are shown by another model than the report's, which has none of their options."""
    model = ranges.drop_duplicates("setting").set_index("setting")["model"]
    used, said = model["look_back"], []
    if model["half_life"] != used:
        said.append(_("The half-life is that of time decay; this report uses {model}.").format(model=_(used)))
    if model["dialect"] != used:
        said.append(_("Vendors read {model} alike; what they read otherwise is {other}.").format(
            model=_(used), other=_(model["dialect"])))
    return said


def label_tops(tops: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Write which campaigns each model credits most: one row per model, with the first three and their money."""
    texts = tops.assign(text=[f"{name} ({money(credit, currency)})" for name, credit in zip(
        tops["campaign_name"], tops["credit"], strict=True)])
    wide = texts.pivot(index="model", columns="place", values="text").reindex(
        index=tops["model"].drop_duplicates(), columns=[1, 2, 3]).fillna("")
    return wide.set_axis(["first", "second", "third"], axis=1).reset_index().assign(
        model=[_(each) for each in wide.index])


def title_lost(lost: pd.DataFrame) -> str:
    """Title the removal effects with the programme that lies on the paths of most."""
    known = lost[(lost["depth"] == 0) & (lost["lost_value_share"] > 0)]
    if not len(known):
        return _("The Markov model has nothing to go by: no path old enough ended in value, or some value is below "
                 "zero")
    most = known.loc[known["lost_value_share"].idxmax()]
    return _("In the Markov model {share} of the value passes through {campaign} and all below it, the most of all "
             "programmes").format(campaign=most["campaign_name"], share=percent(most["lost_value_share"]))


def say_lost(lost: pd.DataFrame, n_campaigns: int = 0) -> str:
    """Say what removal effects measure and what not, and which campaigns' are largest.

    `n_campaigns` is how many the paths met: of too many there are no effects.
    """
    if n_campaigns > MAX_CAMPAIGNS:
        return _("The paths met {n} campaigns, more than the {most} of which removal effects can be computed: the "
                 "Markov model is left out of this report.").format(n=number(n_campaigns), most=number(MAX_CAMPAIGNS))
    known = lost[lost["lost_value_share"] > 0]
    if not len(known):
        return title_lost(lost) + "."
    leaves = known[known["is_leaf"]].nlargest(1, "lost_value_share")
    single = [_("Of single campaigns most passes through {campaign}: {share} of the value and {deals} of the "
                "conversions.").format(
        campaign=most.campaign_name, share=percent(most.lost_value_share), deals=percent(most.lost_share))
        for most in leaves.itertuples()]
    return " ".join([_(
        "A removal effect measures how much passes through a campaign: the share of the conversions, or of their "
        "value, that a chain fitted to all paths, also those that led nowhere, reaches through it."),
        title_lost(lost) + ".", *single, *_say_parts(known), *_say_fresh(lost), _(
        "A conversion that met two campaigns counts for both: removal effects are shown, never added up."), _(
        "It is not what would be lost: a campaign that only meets those who would buy anyway has a large one, too.")])


def _say_fresh(lost: pd.DataFrame) -> list[str]:
    """Say of how many campaigns, with all below them, no path has come to an end."""
    n = int((lost["is_leaf"] & lost["lost_value_share"].isna()).sum())
    return [in_number("{n} campaign is too fresh for an effect, none of its paths has come to an end: it is blank, and "
                      "the model shares nothing to it.",
                      "{n} campaigns are too fresh for an effect, none of their paths has come to an end: they are "
                      "blank, and the model shares nothing to them.", n).format(n=number(n))] if n else []


def _say_parts(known: pd.DataFrame) -> list[str]:
    """Say of the programme with the most parts' sum that the sum is not its own effect."""
    whole = known[(known["n_parts"] > 1) & (known["depth"] == 0)]
    if not len(whole):
        return []
    most = whole.loc[whole["parts_share"].idxmax()]
    return [_("The parts right below {campaign} sum to {sum}, the whole of it is {share}.").format(
        campaign=most["campaign_name"], sum=percent(most["parts_share"]), share=percent(most["lost_value_share"]))]


def title_caused(caused: pd.DataFrame) -> str:
    """Title the regression with how many channels' intervals lie above zero."""
    if not len(caused):
        return _("The regression has nothing to say of these channels")
    n = int(caused["is_clear"].sum())
    return _("For {n} of {channels} the regression's 95\u00a0% interval lies above zero").format(
        n=number(n), channels=count(len(caused), "channel"))


def say_caused(caused: pd.DataFrame, model: str, currency: str) -> str:
    """Say how far what a regression says was caused lies from the credit that the report's model gives."""
    outside = caused[caused["is_outside"]]
    if not len(outside):
        return _("The credit by {model} lies within the regression's interval for every channel shown. That confirms "
                 "nothing: a wide interval holds almost any credit.").format(model=_(model))
    away = pd.concat([outside["caused_low"] - outside["credit"], outside["credit"] - outside["caused_high"]], axis=1)
    most = outside.loc[away.max(axis=1).idxmax()]
    sums = {name: money(most[name], currency) for name in ("credit", "caused_low", "caused_high")}
    return _("For {n} of {channels} the credit by {model} lies outside the regression's interval, furthest for "
             "{name}: {credit} credited, {caused_low} to {caused_high} caused.").format(
        n=number(len(outside)), channels=count(len(caused), "channel"), model=_(model), name=most["campaign_name"],
        **sums)


def say_hazard_limits(half_life_days: float = HALF_LIFE_DAYS) -> str:
    """Say what the regression can say of a channel, and what it cannot."""
    return _("The regression compares months: how much oftener companies opened and won deals after they had met a "
             "channel than companies like them in size, history and time that had not. It observes and does not "
             "experiment: where a channel sought out those about to buy anyway, it is given what they would have "
             "bought without it. A deal that was only brought forward counts as caused. One coefficient stands for a "
             "whole channel. A touch counts half as much for every {days} days of age, and a month's own touches are "
             "not counted. What would be lost without two channels is not the sum of what would be lost without "
             "each.").format(days=plain(half_life_days))


def say_hazard(caused: pd.DataFrame, currency: str) -> str:
    """Say for how many channels the regression finds more than chance would usually bring, and for which most."""
    known = caused[caused["caused_value"].notna()]
    clear = known[known["caused_low"] > 0]
    if not len(known):
        return _("Too few deals followed a touch for the regression to say anything of a channel.")
    if not len(clear):
        return _("The regression cannot tell the effect of any channel from none: every interval reaches down to "
                 "zero.")
    most = clear.loc[clear["caused_value"].idxmax()]
    sums = {name: money(most[name], currency) for name in ("caused_value", "caused_low", "caused_high")}
    found = _("The regression finds more than chance would usually bring for {n} of {channels}, most for {name}: "
              "without it {caused_value} less would have been won (95\u00a0% interval {caused_low} to {caused_high}). "
              "Where the interval reaches down to zero, no effect is possible too.").format(
        n=number(len(clear)), channels=count(len(known), "channel"), name=most["campaign_name"], **sums)
    return " ".join([found, *_say_many(len(known))])


def _say_many(n: int) -> list[str]:
    """Say what testing several channels at once does to the chance that one stands out."""
    return [_("{channels} are tested at once: about one in forty without any effect has an interval above zero by "
              "chance alone.").format(channels=count(n, "channel"))] if n > 1 else []
