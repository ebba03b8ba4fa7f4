"""What is held for a person, counted by study, and which reports there are."""

from typing import Any

import pytest

from tests.journal.making import NOW, adopted, arrival, plan_to
from waystation.db.engine import Database
from waystation.db.statement import Transaction
from waystation.journal import deid_records, deid_waiting
from waystation.journal.ids import IdSource
from waystation.journal.treatments import add_recipe
from waystation.model.recipe import Recipe

RESEARCH, OTHER = Recipe(deidentify="research"), Recipe(deidentify="other")


async def hold(database: Database, *rows: tuple[str, str, str, Recipe]) -> None:
    """Have deliveries held: study, destination, why, recipe; each of an object of its own study."""

    def job(transaction: Transaction) -> None:
        for recipe in (RESEARCH, OTHER):
            add_recipe(transaction, recipe)
        for study, destination, why, recipe in rows:
            transaction.run(
                "UPDATE delivery SET state = 'held', hold_reason = 'deid-failed', why = :why,"
                " recipe = :recipe WHERE study = :study AND destination = :destination",
                {
                    "study": study,
                    "destination": destination,
                    "why": why,
                    "recipe": recipe.digest,
                },
            )

    await database.write(job)


@pytest.mark.req("D-43")
async def test_an_object_that_goes_to_two_places_is_one_object(database: Database) -> None:
    one = arrival(1)
    await database.write(adopted(IdSource(1), (one, plan_to("a", "b"))))
    study = one.instance.study_uid
    await hold(database, (study, "a", "seen?", RESEARCH), (study, "b", "seen?", RESEARCH))
    (found,) = await database.read(deid_waiting.waiting())
    assert (found.study, found.profile, found.recipe) == (study, "research", RESEARCH.digest)
    assert found.destinations == {"a", "b"}
    assert [(one.why, one.objects) for one in found.reasons.values()] == [("seen?", 1)]
    assert found.since <= NOW


@pytest.mark.req("D-43")
async def test_profiles_of_one_study_wait_apart(database: Database) -> None:
    one = arrival(1)
    await database.write(adopted(IdSource(1), (one, plan_to("a", "b"))))
    study = one.instance.study_uid
    await hold(database, (study, "a", "seen?", RESEARCH), (study, "b", "pixels?", OTHER))
    found = await database.read(deid_waiting.waiting(study))
    assert {each.profile: list(each.reasons) for each in found} == {
        "research": ["seen?"],
        "other": ["pixels?"],
    }
    said: Any = (True, "ann", "looked")
    await database.write(deid_records.decide((study, "2.25.9"), "other", "pixels", said, 7.0))
    decided = {each.profile: each.decided for each in await database.read(deid_waiting.waiting())}
    assert decided["research"] == ()
    assert [(each.by, each.approved) for each in decided["other"]] == [("ann", True)]
    assert len(await database.read(deid_waiting.held_by(study, "other"))) == 1
    assert await database.read(deid_waiting.waiting("9.9")) == []


@pytest.mark.req("D-43")
async def test_the_rule_of_the_last_approval_is_remembered(database: Database) -> None:
    names = ("1.2", "2.25.9")
    for approved, device in ((True, "rule one"), (True, "rule two"), (False, "")):
        said: Any = (approved, "ann", "looked")
        job = deid_records.decide(names, "research", "pixels", said, 7.0, device)
        await database.write(job)
    assert await database.read(deid_waiting.device_rule("2.25.9", "research")) == "rule two"
    assert await database.read(deid_waiting.device_rule("2.25.9", "other")) == ""
    assert await database.read(deid_records.broken_link()) is None
