"""Whether a query keeps to the levels of its information model (T-38; PS3.4 C.4.1.3).

Contract: hierarchical unless relational queries are in force: each level above has its unique key
with a value, and the other keys belong to the level that is asked for.  Leniently, patient
attributes are asked for at every level of Study Root and in studies of Patient Root, Modality of a
study means Modalities in Study, and a key of another level that has no value is only left out.
"""

from dataclasses import replace

from waystation.index.levels import MODALITIES_IN_STUDY, MODALITY, level_of
from waystation.matching.keys import BadIdentifier, bad, is_universal, name_of
from waystation.matching.unique import LEVEL, LEVELS, UNIQUE
from waystation.model.query import PATIENT, STUDY, Key, Query

# Every answer has them, whatever was asked.
RETRIEVE_AE, AVAILABILITY = 0x00080054, 0x00080056
OURS = {RETRIEVE_AE, AVAILABILITY}


def kept(
    query: Query, *, patient_root: bool, study_only: bool = False, strict: bool = False
) -> Query | BadIdentifier:
    """Return the query as it is to be served, or what is wrong with it (A900).

    study_only: the model ends at studies.  strict: no leniency but that for patient attributes.
    """
    levels = LEVELS if patient_root else LEVELS[1:]
    if study_only:
        levels = levels[:2]
    if query.level not in levels:
        return bad(
            LEVEL, "no level of this information model" if query.level else "is missing", "form"
        )
    query = _modality(query.with_keys(key for key in query.keys if key.tag not in OURS))
    if query.options.relational:
        return query
    depth = levels.index(query.level)
    above = {UNIQUE[name] for name in levels[:depth]}
    for tag in sorted(above):
        key = query.key(tag)
        if key is None or not _has_value(key):
            return bad(tag, "needs a value, as relational queries were not negotiated", "level")
    stray: list[Key] = []
    for key in query.keys:
        if key.tag in above or _belongs(key.tag, query.level, patient_root=patient_root):
            continue
        if strict or not is_universal(key):
            return bad(key.tag, f"is no key of level {query.level}", "level")
        stray.append(key)
    if not stray:
        return query
    return replace(
        query.with_keys(key for key in query.keys if key not in stray),
        unknown=(*query.unknown, *((key.tag, name_of(key.tag)) for key in stray)),
    )


def _modality(query: Query) -> Query:
    """Take Modality for Modalities in Study where studies are asked for."""
    key = query.key(MODALITY)
    if query.level != STUDY or key is None or query.options.relational:
        return query
    keys = [one for one in query.keys if one.tag not in (MODALITY, MODALITIES_IN_STUDY)]
    stated = query.key(MODALITIES_IN_STUDY)
    if stated is None or is_universal(stated):
        stated = replace(key, tag=MODALITIES_IN_STUDY)
    return replace(
        query.with_keys([*keys, stated]), unknown=(*query.unknown, (MODALITY, name_of(MODALITY)))
    )


def _has_value(key: Key) -> bool:
    return bool(key.values) and not any("*" in one or "?" in one for one in key.values)


def _belongs(tag: int, level: str, *, patient_root: bool) -> bool:
    own = level_of(tag)
    if own == level:
        return True
    return own == PATIENT and (not patient_root or level == STUDY)
