"""The tests' oracle: journeys and credit over again, in plain loops and exact fractions, from the definitions."""

from datetime import timedelta
from decimal import Decimal, localcontext
from fractions import Fraction
from zoneinfo import ZoneInfo

HALF_LIFE = {"ours": 30, "hubspot": 7}

# (first, lead, opportunity, last, rest) by model and dialect, copied by hand from the vendors' table.
PLACES = {
    ("u_shaped", "ours"): (40, 40, 0, 0, 20),
    ("u_shaped", "hubspot"): (40, 40, 0, 0, 20),
    ("u_shaped", "marketo_measure"): (50, 50, 0, 0, 0),
    ("u_shaped", "dreamdata"): (40, 0, 0, 40, 20),
    ("w_shaped", "ours"): (30, 30, 30, 0, 10),
    ("w_shaped", "hubspot"): (30, 30, 30, 0, 10),
    ("w_shaped", "marketo_measure"): (30, 30, 30, 0, 10),
    ("w_shaped", "dreamdata"): (30, 30, 0, 30, 10),
    ("full_path", "ours"): (Fraction(45, 2), Fraction(45, 2), Fraction(45, 2), Fraction(45, 2), 10),
    ("full_path", "hubspot"): (Fraction(45, 2), Fraction(45, 2), Fraction(45, 2), Fraction(45, 2), 10),
    ("full_path", "marketo_measure"): (Fraction(45, 2), Fraction(45, 2), Fraction(45, 2), Fraction(45, 2), 10),
    ("j_shaped", "ours"): (20, 0, 0, 60, 20),
    ("j_shaped", "hubspot"): (20, 0, 0, 60, 20),
    ("inverse_j", "ours"): (60, 0, 0, 20, 20),
    ("inverse_j", "hubspot"): (60, 0, 0, 20, 20),
    ("position_based", "ours"): (1, 2, 3, 4, 5),
    ("position_based", "marketo_measure"): (0, 7, 0, 0, 0),
}
OTHERS = {
    "first_touch": ("ours", "hubspot", "marketo_measure", "dreamdata", "salesforce"),
    "last_touch": ("ours", "hubspot", "marketo_measure", "dreamdata", "salesforce"),
    "linear": ("ours", "hubspot", "dreamdata", "salesforce"),
    "time_decay": ("ours", "hubspot"), "shapley": ("ours",),
}
CASES = sorted(PLACES) + [(model, dialect) for model, dialects in OTHERS.items() for dialect in dialects]


def journey(conversion, touches, roles, linking, lookback_days, zone):
    """List the touches of one conversion in order, each with its flags."""
    rows = [touch for touch in touches if _is_linked(touch, conversion, roles, linking)]
    rows = [touch for touch in rows if touch["touched_at"] <= conversion["converted_at"]]
    if lookback_days is not None:
        rows = [touch for touch in rows if _day(conversion["converted_at"], zone) - _day(touch["touched_at"], zone)
                <= timedelta(days=lookback_days)]
    rows = sorted(rows, key=lambda touch: (touch["touched_at"], _kind_rank(touch["kind"]), touch["touch_id"]))
    lead = _lead_touch(rows, conversion, zone)
    opportunity = _last_by(rows, _day(conversion["opportunity_created_at"], zone), zone)
    return [{**touch, "position": i + 1, "is_lead_touch": i == lead, "is_opportunity_touch": i == opportunity,
             "is_before_opportunity": opportunity is not None and i <= opportunity} for i, touch in enumerate(rows)]


def _is_linked(touch, conversion, roles, linking):
    if conversion["person_id"] is not None:
        return touch["person_id"] == conversion["person_id"]
    people = [role["person_id"] for role in roles if role["opportunity_id"] == conversion["conversion_id"]]
    if linking == "role" or linking == "hybrid" and people:
        return touch["person_id"] in people
    return conversion["account_id"] is not None and touch["account_id"] == conversion["account_id"]


def _kind_rank(kind):
    return {"response": (0, ""), "membership": (1, "")}.get(kind, (2, kind or "\U0010ffff"))


def _day(moment, zone):
    return None if moment is None else moment.astimezone(ZoneInfo(zone)).date()


def _last_by(rows, day, zone):
    found = [i for i, touch in enumerate(rows) if day is not None and _day(touch["touched_at"], zone) <= day]
    return found[-1] if found else None


def _lead_touch(rows, conversion, zone):
    day = _day(conversion["lead_created_at"], zone)
    found = _last_by(rows, day, zone)
    if found is not None or day is None:
        return found
    for i, touch in enumerate(rows):
        is_next_day = _day(touch["touched_at"], zone) == day + timedelta(days=1)
        if is_next_day and touch["person_id"] == conversion["lead_person_id"]:
            return i
    return None


def weights(rows, model, dialect):
    """Give each touch of a journey its share of the whole, as a fraction."""
    raw = _raw(rows, model, dialect)
    return [weight / sum(raw) for weight in raw]


def _raw(rows, model, dialect):
    n = len(rows)
    if (model, dialect) in PLACES:
        return _by_place(rows, *PLACES[model, dialect])
    if model == "time_decay":
        return [_decay(rows[-1]["touched_at"] - touch["touched_at"], HALF_LIFE[dialect]) for touch in rows]
    if model == "shapley" or model == "linear" and dialect == "salesforce":
        campaigns = [touch["campaign_id"] for touch in rows]
        return [Fraction(1, campaigns.count(campaign)) for campaign in campaigns]
    if model == "linear":
        return [Fraction(1)] * n
    holder = 0 if model == "first_touch" else n - 1
    if dialect == "salesforce" and model == "first_touch":
        holder = min(range(n), key=lambda i: (rows[i]["joined_at"] or rows[i]["touched_at"], i))
    if dialect == "salesforce" and model == "last_touch":
        latest = max(touch["modified_at"] or touch["touched_at"] for touch in rows)
        holder = [touch["modified_at"] or touch["touched_at"] for touch in rows].index(latest)
    if dialect == "marketo_measure" and model == "last_touch":
        holder = ([i for i, touch in enumerate(rows) if touch["is_lead_touch"]] or [n - 1])[0]
    return [Fraction(i == holder) for i in range(n)]


def _by_place(rows, first, lead, opportunity, last, rest):
    raw, others = [], []
    for i, touch in enumerate(rows):
        held = [weight for weight, is_here in (
            (first, i == 0), (lead, touch["is_lead_touch"]), (opportunity, touch["is_opportunity_touch"]),
            (last, i == len(rows) - 1)) if is_here and weight]
        raw.append(Fraction(sum(held)))
        others += [] if held else [i]
    for i in others:
        raw[i] = Fraction(rest, len(others))
    return raw if sum(raw) else [Fraction(1)] * len(rows)


def _decay(age, half_life):
    with localcontext(prec=40):
        halvings = Decimal(age // timedelta(microseconds=1)) / Decimal(half_life * 86_400_000_000)
        return Fraction(Decimal(2) ** -halvings)


def split(cents, shares):
    """Split whole cents by the largest remainder, counted in 2^-20 cents; of equal ones the earlier touch wins."""
    sign, ideal = (-1 if cents < 0 else 1), [round(abs(cents) * share * 2**20) for share in shares]
    whole = [share // 2**20 for share in ideal]
    order = sorted(range(len(shares)), key=lambda i: (-(ideal[i] % 2**20), i))
    for i in order[:abs(cents) - sum(whole)]:
        whole[i] += 1
    return [sign * part for part in whole]


def credit(company, model, dialect, linking="hybrid", lookback_days=365, zone="UTC"):
    """List (conversion_id, touch_id, campaign_id, cents) for a whole company, in the order of the credit table."""
    said = []
    for conversion in sorted(company["conversions"], key=lambda row: (row["converted_at"], row["conversion_id"])):
        rows = journey(conversion, company["touches"], company["contact_roles"], linking, lookback_days, zone)
        cents = split(conversion["cents"], weights(rows, model, dialect)) if rows else []
        said += [(conversion["conversion_id"], touch["touch_id"], touch["campaign_id"], part)
                 for touch, part in zip(rows, cents, strict=True)]
        said += [] if rows else [(conversion["conversion_id"], None, None, conversion["cents"])]
    return said
