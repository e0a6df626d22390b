"""Exports in, tables out: one file per vendor, the only place where a vendor's field names exist."""

from attribution.sources.salesforce import read_crm
from attribution.sources.salesforce_files import find_folder

__all__ = ["find_folder", "read_crm"]
