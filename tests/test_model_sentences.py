"""What a reader is told of the regression: by hand, for one campaign and for none."""

import numpy as np
import pandas as pd

from attribution.model_sentences import say_hazard, say_hazard_limits

NBSP = "\u00a0"


def caused_of(*rows):
    return pd.DataFrame(rows, columns=["campaign_name", "caused_value", "caused_low", "caused_high"])


WEBINARS, FAIRS, MAIL = ("Webinars", 1000.4, 600.0, 1500.0), ("Fairs", 700.0, 1.0, 900.0), ("Mail", 2000.0, -1.0, 9e3)
UNKNOWN = ("Blog", np.nan, np.nan, np.nan)


def test_hazard_names_the_campaign_that_most_would_be_lost_without():
    assert say_hazard(caused_of(FAIRS, WEBINARS, MAIL, UNKNOWN), "EUR") == (
        "The regression finds more than chance could bring for 2 of 3 campaigns, most for Webinars: without it €1,000 "
        f"less would have been won (95{NBSP}% interval €600 to €1,500). Where the interval reaches down to zero, no "
        "effect is possible too.")


def test_hazard_says_when_nothing_is_clear_and_when_nothing_is_known():
    assert say_hazard(caused_of(MAIL), "EUR") == (
        "The regression cannot tell the effect of any campaign from none: every interval reaches down to zero.")
    assert say_hazard(caused_of(UNKNOWN), "EUR") == say_hazard(caused_of(), "EUR") == (
        "Too few deals followed a touch for the regression to say anything of a campaign.")


def test_hazard_in_finnish(finnish):
    assert say_hazard(caused_of(FAIRS, WEBINARS, MAIL), "EUR").replace(NBSP, " ").startswith(
        "Regression mukaan sattumaa suurempi vaikutus on 2 kampanjalla (arvioituja: 3 kampanjaa), suurin on Webinars: "
        "ilman sitä olisi jäänyt voittamatta 1 000 € (95 %:n luottamusväli 600 €–1 500 €).")


def test_limits_name_the_half_life():
    text = say_hazard_limits(90.0)
    assert "counts half as much for every 90 days of age" in text and "does not experiment" in text
    assert "every 7.5 days" in say_hazard_limits(7.5)


def test_limits_in_finnish(finnish):
    assert "puolittuu aina 90 päivässä" in say_hazard_limits(90.0)
