"""What changed since an earlier report, in words: finding first, causes named, in both languages."""

import pandas as pd
import pytest
from previous_cases import END, HELSINKI, deal, previous, touches_of

import attribution.change_sentences as words
from attribution.agreement import Agreement
from attribution.funnel import Outcome
from attribution.language import use_language
from attribution.rejudged import ENTRY_CAUSES, HAND_OVER_CAUSES
from attribution.restated import CAUSES, Previous, compare_credit

HERE, MQL, NONE = Agreement(time_zone=HELSINKI), Outcome("mql", 250.0), Previous("2026-10", END)
AD = ("a1", "ads", "2026-08-02")
NO_DEFINITIONS = pd.DataFrame(columns=["item", "kind", "value_then", "value_now"])


@pytest.fixture
def then():
    return previous(touches_to_date=touches_of(deal("d1", 1000.0, "2026-09-01", AD), deal("d2", 40.0, "2026-09-01")))


def changes_of(crm, then, *now):
    return compare_credit(then, touches_of(*now), crm, agreement=HERE)


def test_say_previous_says_how_to_give_one_where_none_is():
    assert words.say_previous(NONE, NO_DEFINITIONS) == (
        "No earlier report was given to compare with. To see what has moved since, name the folder of a month made "
        'before, as in previous="reports/2026-09", or --previous reports/2026-09 on the command line.')


def test_say_previous_says_first_that_the_definitions_differ(then):
    assert words.say_previous(then, NO_DEFINITIONS, HELSINKI) == (
        "Compared with the report of 2026-09 as it was published, from what the CRM knew until 2026-09-30 23:59; both "
        "are made by the same definitions.")
    other = pd.DataFrame([["model", "parameter", "linear", "u_shaped"]], columns=NO_DEFINITIONS.columns)
    assert words.say_previous(then, other) == (
        "Compared with the report of 2026-09, which was made by other definitions (model: linear → u_shaped). What "
        "differs may come from that, and is then no restatement.")


def test_say_restated_finds_that_nothing_has_moved(crm, then):
    now = deal("d1", 1000.0, "2026-09-01", AD), deal("d2", 40.0, "2026-09-01")
    assert words.say_restated(then, changes_of(crm, then, *now), "EUR") == "Nothing reported up to 2026-09 has moved."
    more = changes_of(crm, then, *now, deal("d4", 60.0, "2026-10-02", AD))
    assert words.say_restated(then, more, "EUR") == (
        "Nothing reported up to 2026-09 has moved. 1 deal closed since, worth €60, comes on top.")


def test_say_restated_says_how_much_moved_and_why(crm, then):
    """200 of an amount, and 40 that a late touch took from the unattributed; a day moves no money."""
    changes = changes_of(crm, then, deal("d1", 1200.0, "2026-09-02", AD), deal(
        "d2", 40.0, "2026-09-01", ("f1", "slush", "2026-08-01", "2026-10-05")))
    said = ("€240 of the €1,040 credited up to 2026-09 has moved since it was reported. Amount changed: 1 deal, €200; "
            "late touches: 1 deal, €40; closing date moved: 1 deal.")
    assert words.say_moved(then, changes, "EUR") == words.say_restated(then, changes, "EUR") == said
    assert "Estimated worth changed: 1, €200;" in words.say_moved(then, changes, "EUR", MQL)


def test_title_changes_names_what_moved_most(crm, then):
    changes = changes_of(crm, then, deal("d1", 1200.0, "2026-09-02", AD), deal("d2", 40.0, "2026-09-01"))
    assert words.title_changes(then, changes, "EUR") == (
        "What moved most since 2026-09 was reported: amount changed, €200")
    assert words.title_changes(then, changes.head(0), "EUR") == "No credit reported up to 2026-09 has moved"


@pytest.fixture
def headline():
    return pd.DataFrame({"figure": ["won_value", "n_won", "roi", "cost"], "unit": ["money", "count", "ratio", "money"],
                         "then": [1040.0, 2, 0.5, 10.2], "now": [1240.0, 2, 0.75, 10.4],
                         "difference": [200.0, 0, 0.25, 0.2],
                         "causes": ["amount changed", "", "amount changed", "cost changed"]})


def test_say_headline_tells_what_a_reader_would_see(then, headline):
    assert words.say_headline(then, headline, "EUR") == (
        "2 headline figures of 2026-09 read otherwise today: Won €1,040 → €1,240; ROI, booked clock +50\xa0% → "
        "+75\xa0%.")
    assert words.say_headline(then, headline, "EUR", n=1).endswith("Won €1,040 → €1,240; ….")
    assert words.say_headline(then, headline[headline["causes"] == ""], "EUR") == (
        "The headline figures of 2026-09 read as they were published.")


def test_name_changes_writes_both_and_the_cause(headline):
    table = words.name_changes(headline, "EUR")
    assert table.values.tolist()[:3] == [
        ["Won", "€1,040", "€1,240", "€200", "amount changed"], ["Deals won", "2", "2", "", ""],
        ["ROI, booked clock", "+50\xa0%", "+75\xa0%", "25.0 points", "amount changed"]]


def test_say_rejudged_counts_causes():
    then = previous(hand_overs=pd.DataFrame({"person_id": ["a", "b", "c"]}))
    changes = pd.DataFrame({"cause": ["owner changed", "contact logged late", "contact logged late", "judged since"]})
    assert words.say_rejudged(then, changes) == (
        "3 of the 3 hand-overs reported up to 2026-09 read otherwise today. Contact logged late: 2; owner changed: 1.")
    assert words.say_rejudged(then, changes.head(0)) == "Every hand-over reported up to 2026-09 stands as it was."
    assert words.say_rejudged(then, changes.tail(1)) == (
        "Every hand-over reported up to 2026-09 stands as it was. The limit of 1 more has passed since, which moves "
        "its month's share in time.")


def test_say_entries_counts_causes():
    then = previous(entries=pd.DataFrame({"record_id": ["a", "b"]}))
    changes = pd.DataFrame({"cause": ["month moved"]})
    assert words.say_entries(then, changes) == (
        "1 stage entry of the 2 reported for the 12 months up to 2026-09 reads otherwise today. Entry moved to another "
        "month: 1.")
    assert words.say_entries(then, changes.head(0)) == (
        "Every stage entry reported for the 12 months up to 2026-09 stands as it was.")


def test_labels_write_causes_and_outcomes_in_words():
    table = pd.DataFrame({"cause": ["linked since"], "causes": ["amount changed, cost changed"], "n": [1]})
    assert words.label_causes(table).values.tolist() == [["people linked since", "amount changed, cost changed", 1]]
    assert words.label_causes(table, MQL)["causes"].tolist() == ["estimated worth changed, cost changed"]
    outcomes = words.label_outcomes(pd.DataFrame({"outcome": ["in time", None]}).astype("str"))
    assert outcomes["outcome"].isna().tolist() == outcomes["became"].isna().tolist() == [False, True]


def test_name_since_names_causes_as_the_outcome_does():
    assert words.name_since()["linked_since"] == "people linked since"
    assert words.name_since()["closed_then_on"] == "closed, then"
    assert [words.name_since(MQL)[name] for name in ("no_longer_won", "closed_then_on")] == [
        "no longer in the stage", "entered, then"]


def test_title_since_depends_on_the_outcome_where_it_has_to():
    assert words.title_since("since_months").startswith("Won value")
    assert words.title_since("since_months", MQL).startswith("Expected value")
    assert words.title_since("hand_overs", MQL) == words.title_since("hand_overs")


def test_every_word_of_the_changes_is_finnish_too():
    texts = [*CAUSES.values(), *HAND_OVER_CAUSES.values(), *ENTRY_CAUSES.values(), *words.EXPECTED_CAUSES.values(),
             *words.OTHER_CAUSES.values(), *words.CHANGE_NAMES.values(),
             *[title for titles in words.TITLES.values() for title in titles]]
    try:
        use_language("fi")
        assert [text for text in texts if words._(text) == text] == []
    finally:
        use_language("en")


def test_sentences_are_finnish_too(crm, then):
    changes = changes_of(crm, then, deal("d1", 1200.0, "2026-09-02", AD), deal("d2", 40.0, "2026-09-01"),
                         deal("d4", 60.0, "2026-10-02", AD))
    try:
        use_language("fi")
        assert words.say_restated(then, changes, "EUR") == (
            "Kuukauden 9/2026 loppuun mennessä hyvitetty 1\xa0040\xa0€; siitä on raportin jälkeen muuttunut 200\xa0€. "
            "Summa muuttunut: 1 kauppa, 200\xa0€; päättymispäivä siirtynyt: 1 kauppa. Sen jälkeen on lisäksi voitettu "
            "1 kauppa, arvoltaan 60\xa0€.")
        assert words.say_rejudged(then, pd.DataFrame({"cause": []})) == (
            "Kaikki kuukauden 9/2026 loppuun mennessä raportoidut luovutukset ovat ennallaan.")
        assert words.say_rejudged(then, pd.DataFrame({"cause": ["attempts changed", "attempts judged since"]})) == (
            "Kuukauden 9/2026 loppuun mennessä raportoituja luovutuksia: 0; niistä 1 on nyt toisin. "
            "Yhteydenottoyrityksiä muuttunut tai poistettu: 1.")
    finally:
        use_language("en")


def test_sentences_write_the_month_as_a_finn_does(crm, then, headline):
    """2026-09 is 9/2026; no sentence, title or number of things keeps the code of the month."""
    changes = changes_of(crm, then, deal("d1", 1200.0, "2026-09-02", AD), deal("d2", 40.0, "2026-09-01"))
    other = pd.DataFrame([["model", "parameter", "linear", "u_shaped"]], columns=NO_DEFINITIONS.columns)
    none, one = pd.DataFrame({"cause": []}), pd.DataFrame({"cause": ["month moved"]})
    try:
        use_language("fi")
        assert words.say_previous(then, NO_DEFINITIONS, HELSINKI) == (
            "Vertailukohtana on kuukauden 9/2026 raportti sellaisena kuin se julkaistiin, CRM:ssä 30.9.2026 23.59 "
            "olleiden tietojen mukaan; molemmat on tehty samoin määritelmin.")
        assert words.title_changes(then, changes, "EUR") == (
            "Eniten kuukauden 9/2026 raportin jälkeen vaikuttanut syy: summa muuttunut, 200\xa0€")
        said = [words.say_previous(then, other), words.say_moved(then, changes.head(0), "EUR"),
                words.say_headline(then, headline, "EUR"), words.say_headline(then, headline.head(0), "EUR"),
                words.title_changes(then, changes.head(0), "EUR"),
                *[say(then, table) for say in (words.say_rejudged, words.say_entries) for table in (none, one)]]
        assert [text for text in said if "9/2026" not in text or "2026-09" in text] == []
    finally:
        use_language("en")
