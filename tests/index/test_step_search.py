"""What SQL preselects is never too little: each query gives what the function gives (T-1, T-18)."""

import random
from collections.abc import Iterator, Mapping
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from waystation.db.engine import Database
from waystation.db.migrate import migrate
from waystation.dicom.uids import EXPLICIT_VR_LE
from waystation.flows.steps import Steps
from waystation.index.step_search import Scope, StepSearch, status_states
from waystation.journal.ids import IdSource
from waystation.matching.entry import entry, read_entry
from waystation.matching.entry_data import encoded
from waystation.matching.identifier import read_identifier
from waystation.matching.keys import BadIdentifier
from waystation.matching.match import Matcher
from waystation.matching.order import order_key
from waystation.model.query import WORKLIST, Options, Query
from waystation.model.step import LISTED, Author, Step, StepDraft, StepState

PERSON = Author(kind="person", name="ann")
WORDS: dict[str, list[Any]] = {
    "PatientName": ["Doe^John", "doe^jane", "M\u00fcller^J\u00f6rg", "Yamada=\u5c71\u7530", "Do"],
    "PatientID": ["1", "12", " 12", "a_1", "A%1"],
    "AccessionNumber": ["X1", "X2", ""],
    "StudyInstanceUID": ["1.2.3", "1.2.4"],
    "RequestedProcedureID": ["P1", "P2"],
    "PatientBirthDate": ["19700101", ""],
}
STEP_WORDS: dict[str, list[Any]] = {
    "Modality": ["CT", "MR", ""],
    "ScheduledStationAETitle": ["CT1", "CT2", ["CT1", "MR1"], ""],
    "ScheduledProcedureStepStartDate": ["20260301", "20260302", "20260401", ""],
    "ScheduledProcedureStepStartTime": ["08", "0930", "235959.5", ""],
    "ScheduledProcedureStepID": ["S1", "S2"],
}
ASKED: dict[str, list[str]] = {
    "PatientName": ["Doe^John", "do*", "*j*", "M?LLER*", "=\u5c71*", "Do", "*"],
    "PatientID": ["12", "1*", "A_1", "a?1", "*%*"],
    "AccessionNumber": ["X1", "X*"],
    "StudyInstanceUID": ["1.2.3", "1.2.3\\1.2.4", "9.9"],
    "RequestedProcedureID": ["P1"],
    "PatientBirthDate": ["19700101", "-19991231"],
}
ASKED_OF_STEP: dict[str, list[str]] = {
    "Modality": ["CT", "MR\\CT", "C*", "ct"],
    "ScheduledStationAETitle": ["CT1", "CT*", "CT1\\MR1", "*1"],
    "ScheduledProcedureStepStartDate": ["20260301", "20260301-20260302", "20260302-", "-20260301"],
    "ScheduledProcedureStepStartTime": ["0800-1000", "09", "2300-"],
    "ScheduledProcedureStepID": ["S1"],
    "ScheduledProcedureStepStatus": ["SCHEDULED", "STARTED", "*ED", "NONE"],
}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "journal.db"
    migrate(path)
    made = Database(path)
    made.open()
    yield made
    made.close()


def chosen(dice: random.Random, words: Mapping[str, list[Any]], share: float) -> dict[str, Any]:
    return {
        keyword: dice.choice(values) for keyword, values in words.items() if dice.random() < share
    }


def draft(dice: random.Random) -> StepDraft:
    values = chosen(dice, WORDS, 0.9) | chosen(dice, STEP_WORDS, 0.9)
    kept = {keyword: said for keyword, said in values.items() if said}
    if dice.random() < 0.1:
        item = {word: said for word, said in kept.items() if word in STEP_WORDS}
        rest = {word: said for word, said in kept.items() if word not in STEP_WORDS}
        return StepDraft(data=encoded({**rest, "ScheduledProcedureStepSequence": [item, {}]}))
    return StepDraft(data=encoded({}), values=kept, area=dice.choice(["", "", "a", "b"]))


def query(dice: random.Random) -> Query:
    of_step = dict.fromkeys(ASKED_OF_STEP, "") | chosen(dice, ASKED_OF_STEP, 0.25)
    asked = dict.fromkeys(ASKED, "") | chosen(dice, ASKED, 0.25)
    raw = encoded({**asked, "ScheduledProcedureStepSequence": [of_step]})
    options = Options(fuzzy=dice.random() < 0.2, multiple_values=dice.random() < 0.2)
    found = read_identifier(raw, EXPLICIT_VR_LE, level=WORKLIST, options=options)
    if isinstance(found, BadIdentifier):
        return query(dice)
    return found


def meant(found: Query, matcher: Matcher, step: Step, scope: Scope) -> bool:
    """Tell whether a step is an answer: by the function alone."""
    states = status_states(found)
    if step.deleted_at is not None or step.state not in (LISTED if states is None else states):
        return False
    if scope.area is not None and step.area not in ("", scope.area):
        return False
    if step.missing and not scope.incomplete:
        return False
    return matcher.matches(entry(read_entry(step.data), step.state))


@pytest.mark.req("T-1", "T-8", "T-18")
async def test_every_query_gives_what_the_function_gives_in_its_order(database: Database) -> None:
    dice = random.Random(7)
    steps = Steps(database, IdSource(), lambda: 1000.0)
    kept = await steps.add_all([draft(dice) for _ in range(150)], PERSON)
    for step in dice.sample(kept, 40):
        await steps.move(
            step.id, dice.choice([S for S in StepState if S is not step.state]), PERSON
        )
    for step in dice.sample(kept, 5):
        found = await steps.get(step.id)
        if found is not None and found.state in LISTED:
            await steps.delete(step.id, PERSON)
    every = [one for step in kept if (one := await steps.get(step.id)) is not None]
    records = {step.id: entry(read_entry(step.data), step.state) for step in every}
    hits = 0
    for _ in range(200):
        asked = query(dice)
        scope = Scope(area=dice.choice([None, "a", "b"]), incomplete=dice.random() < 0.8)
        search = StepSearch(database, asked, scope, home=UTC)
        found_ids = [one.step async for one in search.run()]
        wanted = [step for step in every if meant(asked, search.matcher, step, scope)]
        assert sorted(found_ids) == sorted(step.id for step in wanted), asked
        keys = [order_key(WORKLIST, records[number])[:2] for number in found_ids]
        dated = [key for key in keys if key[0] != float("inf")]
        assert keys[: len(dated)] == sorted(dated)
        hits += len(found_ids)
    assert hits > 300


@pytest.mark.req("T-55", "T-18")
async def test_pages_follow_each_other_without_gap_or_overlap(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.index.step_search.FIRST_PAGE", 3)
    monkeypatch.setattr("waystation.index.step_search.NEXT_PAGE", 4)
    dice = random.Random(3)
    steps = Steps(database, IdSource(), lambda: 1000.0)
    kept = await steps.add_all([draft(dice) for _ in range(60)], PERSON)
    found = read_identifier(encoded({"PatientName": ""}), EXPLICIT_VR_LE, level=WORKLIST)
    assert not isinstance(found, BadIdentifier)
    search = StepSearch(database, found, Scope(incomplete=True))
    ids = [one.step async for one in search.run()]
    assert len(ids) == len(set(ids)) == len(kept)
