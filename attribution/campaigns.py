"""The campaign tree: who stands above whom, own and rolled-up figures, and the CRM's own roll-up beside ours."""

import numpy as np
import pandas as pd

from attribution.frames import check_unique, read_columns
from attribution.tables import TableError, as_pandas, check_table, first_keys, look_up

_ON_ORPHAN = ("raise", "leave_out")


def build_ancestors(campaigns: pd.DataFrame, on_orphan: str = "raise") -> pd.DataFrame:
    """List every campaign with itself and each campaign above it, at any depth.

    Returns one row per campaign and ancestor: campaign_id, ancestor_id, distance (0 for itself). With
    on_orphan="leave_out" a campaign whose parent is not in the table is left out with all that stands below it.
    Raises TableError that names the campaigns when they go round in a circle, when an id stands twice, or when a
    parent is missing; ValueError when on_orphan is neither "raise" nor "leave_out".

    >>> tree = pd.DataFrame({"campaign_id": ["prog", "ad"], "parent_id": [None, "prog"]}, dtype="str")
    >>> build_ancestors(tree).query("campaign_id == 'ad'")["ancestor_id"].tolist()
    ['ad', 'prog']
    """
    if on_orphan not in _ON_ORPHAN:
        raise ValueError(f"on_orphan: {on_orphan!r} is not one of {', '.join(_ON_ORPHAN)}")
    parent = _parent_positions(campaigns, on_orphan)
    ids = campaigns["campaign_id"].to_numpy()
    levels, at, own = [], np.arange(len(ids)), np.flatnonzero(parent != _ORPHAN)
    at, distance = own, 0
    while len(own):
        levels.append(pd.DataFrame({"campaign_id": ids[own], "ancestor_id": ids[at], "distance": distance}))
        own, at, distance = own[parent[at] >= 0], parent[at][parent[at] >= 0], distance + 1
    found = pd.concat(levels) if levels else pd.DataFrame(
        {"campaign_id": [], "ancestor_id": [], "distance": np.array([], int)})
    return found.astype({"campaign_id": "str", "ancestor_id": "str"}).sort_values(
        ["campaign_id", "distance"], ignore_index=True)


_ROOT, _ORPHAN = -1, -2


def _parent_positions(campaigns: pd.DataFrame, on_orphan: str) -> np.ndarray:
    """Give each campaign's parent as a row number, _ROOT without one, _ORPHAN where it hangs on a missing one."""
    ids = pd.Index(campaigns["campaign_id"])
    if ids.has_duplicates:
        twice = campaigns.loc[ids.duplicated(keep=False), "campaign_id"]
        raise TableError(f"campaigns: campaign_id stands more than once in {len(twice):,} of {len(ids):,} rows "
                         f"({first_keys(twice)}). Export Campaign.csv again, each campaign once.")
    parents = campaigns["parent_id"]
    parent = np.where(parents.isna(), _ROOT, ids.get_indexer(parents))
    parent[(parent == -1) & parents.notna()] = _ORPHAN
    _no_circle(campaigns, parent)
    orphans = parent == _ORPHAN
    if orphans.any() and on_orphan == "raise":
        lost = campaigns.loc[orphans]
        raise TableError(f"campaigns: parent_id not found in {len(lost):,} of {len(ids):,} rows "
                         f"({first_keys(lost['campaign_id'])}). Export Campaign.csv again, with every campaign, "
                         'or leave them out with on_orphan="leave_out" (--on-orphan leave_out).')
    return _spread_orphans(parent)


def _no_circle(campaigns: pd.DataFrame, parent: np.ndarray) -> None:
    above = parent.copy()
    for _ in range(len(parent).bit_length()):        # each pass doubles the steps: enough to leave any true tree
        above = np.where(above >= 0, above[np.maximum(above, 0)], above)
    circle = np.unique(above[above >= 0])
    if len(circle):
        names = campaigns["campaign_id"].iloc[circle]
        raise TableError(f"campaigns: {len(circle):,} of {len(parent):,} campaigns stand above themselves in a circle "
                         f"({first_keys(names, 5)}). Correct the parent of one of them in the CRM and export again.")


def _spread_orphans(parent: np.ndarray) -> np.ndarray:
    while True:
        below = (parent >= 0) & (parent[np.maximum(parent, 0)] == _ORPHAN)
        if not below.any():
            return parent
        parent = np.where(below, _ORPHAN, parent)


def describe_tree(campaigns: pd.DataFrame, on_orphan: str = "raise") -> pd.DataFrame:
    """Say where each campaign stands in the tree, in reading order (a parent before its children, by name).

    Returns one row per campaign: campaign_id, parent_id, campaign_name, depth (0 at a root), root_id, path (names from
    the root, joined by " > "), is_leaf.
    Raises what build_ancestors raises.

    >>> tree = pd.DataFrame({"campaign_id": ["1", "2"], "parent_id": [None, "1"], "campaign_name": ["EMEA", "Ads"]},
    ...                     dtype="str")
    >>> describe_tree(tree)["path"].tolist()
    ['EMEA', 'EMEA > Ads']
    """
    named = campaigns[["campaign_id", "parent_id", "campaign_name"]].assign(
        campaign_name=campaigns["campaign_name"].fillna(campaigns["campaign_id"]))
    lines = build_ancestors(campaigns, on_orphan).merge(
        named[["campaign_id", "campaign_name"]].rename(columns={"campaign_id": "ancestor_id"}),
        on="ancestor_id", validate="many_to_one")
    steps = lines.sort_values(["campaign_id", "distance"], ascending=[True, False])
    steps = steps.assign(sort_key=steps["campaign_name"] + "\x00" + steps["ancestor_id"])
    places = steps.groupby("campaign_id").agg(
        depth=("distance", "max"), root_id=("ancestor_id", "first"), path=("campaign_name", " > ".join),
        sort_key=("sort_key", "\x01".join)).reset_index()
    tree = named.merge(places, on="campaign_id", validate="one_to_one").sort_values("sort_key", ignore_index=True)
    return tree.assign(is_leaf=~tree["campaign_id"].isin(tree["parent_id"])).drop(columns="sort_key")


def climb_tree(rows: pd.DataFrame, campaigns: pd.DataFrame, depth: int, on_orphan: str = "raise") -> pd.DataFrame:
    """Put in each campaign's place the one above it at a depth of the tree (0: the roots), such as its channel.

    Returns the rows with other campaign_id; a campaign that stands higher than that, or not in the tree, keeps its own.
    Raises what build_ancestors raises, and ValueError for a depth that is not a whole number from 0.

    >>> tree = pd.DataFrame({"campaign_id": ["prog", "ad"], "parent_id": [None, "prog"]}, dtype="str")
    >>> climb_tree(pd.DataFrame({"campaign_id": ["ad", "prog"]}, dtype="str"), tree, 0)["campaign_id"].tolist()
    ['prog', 'prog']
    """
    if isinstance(depth, bool) or not isinstance(depth, int | np.integer) or depth < 0:
        raise ValueError(f"depth: {depth!r} is not a level of the tree, a whole number from 0")
    ancestors = build_ancestors(campaigns, on_orphan)
    of = ancestors.groupby("campaign_id")["distance"].max()
    above = ancestors[look_up(ancestors["campaign_id"], of) - ancestors["distance"] == depth]
    place = look_up(rows["campaign_id"], above.set_index("campaign_id")["ancestor_id"])
    return rows.assign(campaign_id=place.fillna(rows["campaign_id"]).astype("str"))


def roll_up(figures, ancestors, columns: list[str]) -> pd.DataFrame:
    """Add to each campaign's own figures, in any frame, those of all campaigns below it.

    Returns the figures with `<column>_with_children` for each column asked for: own + all descendants', a blank counted
    as 0. A campaign not among the figures has none of its own.
    Raises TableError when a column is missing, or a campaign stands twice among the figures.

    >>> own = pd.DataFrame({"campaign_id": ["event", "email"], "actual_cost": [None, 20000.0]})
    >>> lines = pd.DataFrame({"campaign_id": ["event", "email", "email"], "ancestor_id": ["event", "email", "event"]})
    >>> roll_up(own, lines, ["actual_cost"])["actual_cost_with_children"].tolist()
    [20000.0, 20000.0]
    """
    figures = as_pandas(figures)
    own = read_columns(figures, "figures", ["campaign_id"], []).set_axis(figures.index)
    check_unique(own, "figures", "campaign_id")
    missing = [column for column in columns if column not in figures]
    if missing:
        raise TableError(f"figures: there is no column {missing[0]}. The columns asked for are {', '.join(columns)}.")
    below = read_columns(ancestors, "ancestors", ["campaign_id", "ancestor_id"], []).merge(
        own.assign(**{column: figures[column] for column in columns}), on="campaign_id", validate="many_to_one")
    sums = below.groupby("ancestor_id")[columns].sum().add_suffix("_with_children").round(9)
    return figures.assign(**{column: look_up(own["campaign_id"], sums[column]) for column in sums})


def count_blanks(figures: pd.DataFrame, ancestors: pd.DataFrame, column: str) -> pd.DataFrame:
    """Count the campaigns below each one that know nothing of a figure, neither themselves nor anything under them.

    Returns one row per campaign: campaign_id, n_blank_below.
    """
    blank = figures.set_index("campaign_id")[column].isna()
    lines = ancestors.assign(is_blank=look_up(ancestors["campaign_id"], blank))
    unknown = lines.groupby("ancestor_id")["is_blank"].all()
    below = lines.assign(is_unknown=look_up(lines["campaign_id"], unknown) & (lines["distance"] > 0))
    counts = below.groupby("ancestor_id")["is_unknown"].sum()
    return counts.rename_axis("campaign_id").rename("n_blank_below").reset_index()


def reconcile_hierarchy(campaigns: pd.DataFrame, ancestors: pd.DataFrame) -> pd.DataFrame:
    """Compare our roll-up with the one that the CRM exported.

    Returns one row per campaign and figure that the export rolls up: campaign_id, figure, rolled_up (ours), reported
    (the CRM's), difference (ours - the CRM's). A figure that the export does not carry gives no rows.
    """
    check_table(campaigns, "campaigns")
    pairs = {reported: own for reported in campaigns if reported.endswith("_with_children")
             if (own := _own_column(reported, campaigns)) is not None}
    own = campaigns[["campaign_id"]].assign(**{
        reported: campaigns[column].astype(float) for reported, column in pairs.items()})
    sums = roll_up(own, ancestors, list(pairs))
    return pd.concat([_compare(campaigns, sums, reported) for reported in pairs], ignore_index=True)


def _own_column(reported: str, campaigns: pd.DataFrame) -> str | None:
    """Find the own figure behind a reported roll-up; reported costs and numbers sent are the campaign's own columns."""
    own = reported.removesuffix("_with_children")
    return next((name for name in (own, own.removeprefix("reported_")) if name in campaigns), None)


def _compare(campaigns: pd.DataFrame, sums: pd.DataFrame, reported: str) -> pd.DataFrame:
    ours = look_up(campaigns["campaign_id"], sums.set_index("campaign_id")[f"{reported}_with_children"])
    compared = pd.DataFrame({
        "campaign_id": campaigns["campaign_id"],
        "figure": reported.removeprefix("reported_").removesuffix("_with_children"),
        "rolled_up": ours.astype(float), "reported": campaigns[reported].astype(float)})
    compared = compared.assign(difference=(compared["rolled_up"] - compared["reported"]).round(2))
    return compared[compared["reported"].notna() & compared["rolled_up"].notna()]
