"""What a reader is told of what a model learned from the data says."""

import pandas as pd

from attribution.language import _, count, money, number, plain


def say_hazard_limits(half_life_days: float) -> str:
    """Say what the regression can say of a campaign, and what it cannot."""
    return _("The regression compares months: how much oftener companies opened and won deals after they had met a "
             "campaign than companies like them in size, history and time that had not. It observes and does not "
             "experiment: where a campaign sought out those about to buy anyway, it is given what they would have "
             "bought without it. One coefficient stands for a whole channel, a touch counts half as much for every "
             "{days} days of age, a month's own touches are not counted, and what would be lost without two campaigns "
             "is not the sum of what would be lost without each.").format(days=plain(half_life_days))


def say_hazard(caused: pd.DataFrame, currency: str) -> str:
    """Say for how many campaigns the regression finds more than chance could be, and for which it finds most."""
    known = caused[caused["caused_value"].notna()]
    clear = known[known["caused_low"] > 0]
    if not len(known):
        return _("Too few deals followed a touch for the regression to say anything of a campaign.")
    if not len(clear):
        return _("The regression cannot tell the effect of any campaign from none: every interval reaches down to "
                 "zero.")
    most = clear.loc[clear["caused_value"].idxmax()]
    sums = {name: money(most[name], currency) for name in ("caused_value", "caused_low", "caused_high")}
    return _("The regression finds more than chance could bring for {n} of {campaigns}, most for {name}: without it "
             "{caused_value} less would have been won (95\u00a0% interval {caused_low} to {caused_high}). Where the "
             "interval reaches down to zero, no effect is possible too.").format(
        n=number(len(clear)), campaigns=count(len(known), "campaign"), name=most["campaign_name"], **sums)
