"""The intervals' words: what they say, who is surely among the best, and what pooling does to small campaigns."""

from collections.abc import Mapping

import pandas as pd

from attribution.funnel import WON, Outcome
from attribution.intervals import LEAST_ACCOUNTS
from attribution.language import _, count, marked, number, percent, times
from attribution.sentences import CLOCK_COLUMNS, name_stage

#: What the columns are called where they speak of an interval, and not of the models' range.
INTERVAL_NAMES = {
    "credit_interval": marked("credit, 95\u00a0% interval"), "roi_interval": marked("ROI, 95\u00a0% interval"),
    "credit_low": marked("credit from"), "credit_high": marked("credit to"), "roi_low": marked("ROI from"),
    "roi_high": marked("ROI to"), "is_thin": marked("few accounts"), "n_accounts": marked("accounts"),
    "top_five_share": marked("among the five by credit"), "top_five_roi_share": marked("among the five by ROI"),
    "pooled_roi": marked("ROI, pooled"), "pooling_weight": marked("weight of its own"),
}
#: The campaign clock with its intervals, each beside its figure.
INTERVAL_COLUMNS = tuple(each for column in CLOCK_COLUMNS for each in {
    "credit_with_children": (column, "credit_interval"), "roi": (column, "roi_interval", "is_thin")}.get(
        column, (column,)))
RANK_COLUMNS = ("path", "credit", "credit_interval", "top_five_share", "roi", "roi_interval", "top_five_roi_share",
                "n_accounts")
_OFTEN = 0.05                            # of the resamples: who comes among the best less often is not worth a name


def name_intervals(names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give the columns' names in tables with intervals, beside other names: column → name."""
    return {**(names or {}), **{column: _(name) for column, name in INTERVAL_NAMES.items()}}


def label_intervals(rows: pd.DataFrame) -> pd.DataFrame:
    """Write each row's intervals as a reader's text: credit_interval, roi_interval; blank where there is none."""
    return rows.assign(**{f"{name}_interval": [
        _("{low}\u00a0to\u00a0{high}").format(low=write(low).removesuffix("\u00a0%"), high=write(high))
        if pd.notna(low) else "" for low, high in zip(rows[f"{name}_low"], rows[f"{name}_high"], strict=True)]
        for name, write in (("credit", number), ("roi", times))})


def say_intervals(outcome: Outcome = WON) -> str:
    """Say what the intervals are, and what they are not."""
    text = _("The 95\u00a0% intervals say between what a figure would have come out, if another set of similar "
             "accounts, more or fewer, had bought. They know nothing of what would have happened without the campaign. "
             "With few accounts behind it, fewer than {n}, an interval is too narrow.").format(
        n=number(LEAST_ACCOUNTS))
    worth = _("The worth of one {stage} is taken as known.").format(stage=name_stage(outcome.stage))
    return f"{text} {worth}" if outcome.is_expected else text


def say_ranks(ranks: pd.DataFrame) -> str:
    """Say how many campaigns contend for the places among the five with the most credit, and which is surest."""
    rows = ranks[ranks["top_five_share"] >= _OFTEN]
    if not len(rows):
        return _("No campaign has any credit, so there is nothing to rank.")
    return _("{campaigns} can hold a place among the five with the most credit: each does in at least {often} of the "
             "resamples. Surest of its place is {name}, in {share}.").format(
        campaigns=count(len(rows), "campaign"), often=percent(_OFTEN), name=rows["campaign_name"].iloc[0],
        share=percent(rows["top_five_share"].iloc[0]))


def title_pooled(pooled: pd.DataFrame) -> str:
    """Title the pooled returns with the campaign whose ROI moves furthest."""
    rows = pooled[pooled["pooled_roi"].notna()]
    if not len(rows):
        return _("No cost is known, so no campaign can borrow from those beside it")
    most = rows.loc[(rows["pooled_roi"] - rows["roi"]).abs().idxmax()]
    return _("Pooling moves {name} furthest: {roi} by itself, {pooled} beside its siblings").format(
        name=most["campaign_name"], roi=times(most["roi"]), pooled=times(most["pooled_roi"]))


def say_pooled(pooled: pd.DataFrame) -> str:
    """Say what pooling is, and how much the campaigns' own figures count in it."""
    leaves = pooled.loc[pooled["is_leaf"], "pooling_weight"].dropna()
    if not len(leaves):
        return _("No cost is known, so no campaign can borrow from those beside it.")
    return _("Where few accounts stand behind a campaign, its ROI is partly luck. The pooled ROI is drawn towards that "
             "of its parent: further for a campaign that cost less, and further where its siblings are alike. For half "
             "of {campaigns} with a cost, its own figure counts {share} or less.").format(
        campaigns=count(len(leaves), "campaign"), share=percent(leaves.median()))
