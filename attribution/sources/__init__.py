"""Exports in, tables out: one file per vendor, the only place where a vendor's field names exist."""

from attribution.sources.salesforce import read_crm
from attribution.sources.salesforce_files import describe_columns, find_folder, list_files, read_export
from attribution.sources.salesforce_money import list_currencies

__all__ = ["describe_columns", "find_folder", "list_currencies", "list_files", "read_crm", "read_export"]
