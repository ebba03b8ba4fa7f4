"""The data dictionary of PS3.6 and the registry of UIDs: pydicom's tables without pydicom.

Contract: the same answers as ``pydicom.datadict`` gives, from the same files, each read when it
is first asked for.  Importing pydicom itself would bring numpy and an HTTP client along: 25 MB
and half a second that a node which only moves images never needs.
"""

import sys
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import cast

# VR, VM, name, "Retired" or "", keyword.
Entry = tuple[str, str, str, str, str]
PrivateEntry = tuple[str, str, str, str]


def _table(name: str) -> ModuleType:
    """Return one of pydicom's modules that hold nothing but data."""
    whole = f"pydicom.{name}"
    if whole in sys.modules:
        return sys.modules[whole]
    package = find_spec("pydicom")
    spec = PathFinder.find_spec(whole, package.submodule_search_locations) if package else None
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(whole)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def _entries() -> tuple[dict[int, Entry], list[tuple[int, int, Entry]]]:
    """Return the entries by tag, and those of repeating groups as (bits, mask, entry)."""
    module = _table("_dicom_dict")
    repeating = cast(dict[str, Entry], module.RepeatersDictionary)
    masked = [
        (
            int(form.replace("x", "0"), 16),
            int("".join("0" if digit == "x" else "F" for digit in form), 16),
            entry,
        )
        for form, entry in repeating.items()
    ]
    return cast(dict[int, Entry], module.DicomDictionary), masked


@cache
def keywords() -> dict[str, int]:
    """Return every keyword with its tag, those of repeating groups excepted."""
    return {entry[4]: tag for tag, entry in _entries()[0].items()}


@cache
def uids() -> dict[str, Entry]:
    """Return name, type, info, "Retired" or "", and keyword of every registered UID."""
    return cast(dict[str, Entry], _table("_uid_dict").UID_dictionary)


@cache
def private_blocks() -> dict[str, dict[str, PrivateEntry]]:
    """Return by private creator what is known of its elements; keys are ``ggggxxee``."""
    return cast(dict[str, dict[str, PrivateEntry]], _table("_private_dict").private_dictionaries)


def entry_of(tag: int) -> Entry:
    """Return the entry of ``tag``; raise KeyError if the Standard knows none."""
    entries, masked = _entries()
    found = entries.get(tag)
    if found is not None:
        return found
    if not tag >> 16 & 1:
        for bits, mask, entry in masked:
            if not (tag ^ bits) & mask:
                return entry
    raise KeyError(tag)


def private_vr(tag: int, creator: str) -> str:
    """Return the VR of a private element; raise KeyError if it is not known."""
    block = private_blocks()[creator]
    group, element = f"{tag >> 16:04X}", f"{tag & 0xFFFF:04X}"
    for key in (group + element, f"{group}xx{element[2:]}", f"{group[:2]}xxxx{element[2:]}"):
        if key in block:
            return block[key][0]
    raise KeyError(tag)
