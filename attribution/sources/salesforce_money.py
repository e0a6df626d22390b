"""The money of a Salesforce export in one currency: static rates, and dated ones for opportunities."""

from dataclasses import replace

import pandas as pd

from attribution.agreement import Agreement
from attribution.sources.salesforce_files import Export
from attribution.tables import TableError, first_keys

MONEY = {
    "Campaign": ["BudgetedCost", "ActualCost", "ExpectedRevenue", "AmountAllOpportunities", "AmountWonOpportunities",
                 "HierarchyBudgetedCost", "HierarchyActualCost", "HierarchyExpectedRevenue",
                 "HierarchyAmountAllOpportunities", "HierarchyAmountWonOpportunities"],
    "Opportunity": ["Amount"],
    "OpportunityHistory": ["Amount"],
    "Account": ["AnnualRevenue"],
}
UNKNOWN = "XXX"


def in_one_currency(export: Export, agreement: Agreement) -> tuple[Export, str]:
    """Bring every amount to one currency, rounded to the cent.

    Returns the export and the currency: the agreement's, else the only one, else the corporate one; XXX where the
    export does not say. Rates are the agreement's where it has some, else CurrencyType's (corporate = amount /
    ConversionRate) and, for opportunities by their close date, DatedConversionRate's.
    Raises TableError when there are several currencies, or another than the agreement's, without rates.
    """
    _check_dated(export["DatedConversionRate"])
    corporate = next(iter(export["CurrencyType"].query("IsCorporate")["IsoCode"]), None)
    codes = {name: _codes(export[name], corporate) for name in MONEY}
    used = _used(export, codes)
    ours = agreement.currency or (used[0] if len(used) == 1 else corporate) or (None if used else UNKNOWN)
    units = dict.fromkeys(MONEY, 1.0)
    if set(used) - {ours}:
        rates = _rates(agreement, export["CurrencyType"], codes, used, ours)
        units = {name: _units(export, agreement, name, codes[name].fillna(ours), rates, ours) for name in MONEY}
    tables = {name: export[name].assign(**export[name][columns].div(units[name], axis=0).round(2))
              for name, columns in MONEY.items()}
    return replace(export, tables=export.tables | tables), ours


def list_currencies(export: Export) -> list[str]:
    """List the currencies that an export's money is in, the corporate one first."""
    corporate = next(iter(export["CurrencyType"].query("IsCorporate")["IsoCode"]), None)
    used = _used(export, {name: _codes(export[name], corporate) for name in MONEY})
    return sorted(used, key=lambda code: (code != corporate, code))


def _codes(rows: pd.DataFrame, corporate: str | None) -> pd.Series:
    codes = rows["CurrencyIsoCode"].where(rows["CurrencyIsoCode"] != "000")
    return codes.fillna(corporate) if corporate else codes


def _used(export: Export, codes: dict[str, pd.Series]) -> list[str]:
    """List the currencies of the rows that carry money."""
    used = [codes[name][export[name][columns].notna().any(axis=1)] for name, columns in MONEY.items()]
    return pd.concat(used).dropna().drop_duplicates().sort_values().tolist()


def _rates(agreement: Agreement, types: pd.DataFrame, codes: dict[str, pd.Series], used: list[str],
           ours: str | None) -> pd.Series:
    """Give the units of each currency for one of ours (agreement) or for one corporate unit (export)."""
    static = types.drop_duplicates("IsoCode").set_index("IsoCode")["ConversionRate"]
    rates = static if len(static) and not agreement.rates else pd.Series(agreement.rates | {ours: 1.0}, dtype=float)
    lost = sorted({*used, ours} - set(rates.index[rates > 0]), key=str) if ours else used
    if len(used) == 1 and lost:
        raise TableError(f"CurrencyIsoCode: the export is in {used[0]}, the agreement in {ours}, and there is no rate. "
                         f'Set currency = "{used[0]}" in agreement.toml, or {used[0]} = ... under [rates].')
    if lost:
        counts = pd.concat(codes.values()).value_counts().sort_index()
        rows = pd.Series([f"{code} in {n:,} rows" for code, n in counts.items()])
        raise TableError(f"CurrencyIsoCode: {len(used)} currencies, and no rate for {', '.join(lost)} "
                         f"({first_keys(rows)}). Export CurrencyType.csv, or set currency and [rates] in "
                         "agreement.toml.")
    return rates


def _units(export: Export, agreement: Agreement, name: str, codes: pd.Series, rates: pd.Series, ours: str) -> pd.Series:
    """Give, row by row, the units of the row's currency for one of ours."""
    if agreement.rates or not name.startswith("Opportunity"):
        return codes.map(rates) / rates[ours]
    on = export[name]["CloseDate"]
    return _dated(export, codes, on, rates) / _dated(export, pd.Series(ours, codes.index), on, rates)


def _check_dated(rates: pd.DataFrame) -> None:
    wrong = rates[~(rates["ConversionRate"] > 0)]
    if len(wrong):
        keys = wrong["IsoCode"] + " from " + wrong["StartDate"].dt.strftime("%Y-%m-%d")
        raise TableError(f"DatedConversionRate.csv: ConversionRate is not above 0 in {len(wrong):,} of {len(rates):,} "
                         f"rows ({first_keys(keys)}). Correct it in Salesforce and export it again.")


def _dated(export: Export, codes: pd.Series, on: pd.Series, rates: pd.Series) -> pd.Series:
    """Give the rate of each row's currency on its day, the static one where no dated rate holds."""
    rows = pd.DataFrame({"IsoCode": codes.astype("str"), "StartDate": on, "row": range(len(codes))})
    dated = pd.merge_asof(rows.sort_values("StartDate"), export["DatedConversionRate"].sort_values("StartDate").assign(
        from_day=lambda rate: rate["StartDate"]), on="StartDate", by="IsoCode").sort_values("row").set_axis(codes.index)
    holds = dated["from_day"].notna() & ~(dated["StartDate"] >= dated["NextStartDate"])
    return dated["ConversionRate"].where(holds, codes.map(rates))
