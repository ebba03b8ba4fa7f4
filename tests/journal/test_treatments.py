"""What the journal keeps of steps: recipes, treatments, findings, people."""

from typing import Any

import pytest

from waystation.db.engine import Database
from waystation.journal import people, treatments
from waystation.journal.people import Sight
from waystation.journal.treatments import Treatment
from waystation.model.recipe import Recipe

pytestmark = pytest.mark.req("R-65")


def made(head: bytes = b"head", **fields: Any) -> Treatment:
    values: dict[str, Any] = {
        "arrival": 1,
        "recipe": "r",
        "tools": "t",
        "head": head,
        "tail_offset": 10,
        "sha256": "ab" * 32,
        "size_bytes": 20,
        "sop_class": "1.2",
        "sop_instance": "1.3",
        "study": "1.4",
        "series": "1.5",
        "transfer_syntax": "1.2.840.10008.1.2.1",
        "changes": (("PatientID", "1", "2"),),
        "made_at": 5.0,
    }
    return Treatment(**values | fields)


async def test_the_first_result_is_everybodys(database: Database) -> None:
    first, second = made(), made(b"other", sha256="cd" * 32)
    assert await database.write(treatments.keep([first])) == [first]
    assert await database.write(treatments.keep([second])) == [first]
    found = await database.read(treatments.standing([first.key]))
    assert found.made == {first.key: first}


async def test_a_result_goes_with_the_bytes_and_is_made_anew_with_others(
    database: Database,
) -> None:
    first = made(b"", blob="ab/cd")
    await database.write(treatments.keep([first]))
    names = await database.write(lambda transaction: treatments.drop_bytes(transaction, 1))
    assert names == ["ab/cd"]
    assert (await database.read(treatments.standing([first.key]))).made == {}
    again = made(b"again")
    assert await database.write(treatments.keep([again])) == [again]


async def test_recipes_are_found_by_their_digest(database: Database) -> None:
    recipe = Recipe.of(edit=[{"set": "PatientID", "to": "1"}])
    await database.write(treatments.keep_recipes([recipe.text, "", recipe.text]))
    found = await database.read(treatments.recipes([recipe.digest, "unknown"]))
    assert found == {recipe.digest: recipe}


@pytest.mark.req("R-68")
async def test_who_was_first_seen_counts_until_forgotten(database: Database) -> None:
    def sight(name: str) -> Sight:
        return Sight(
            arrival=1,
            study="1.2",
            issuer="I",
            patient_id="7",
            name=name,
            birth="19700101",
            sex="O",
        )

    assert await database.read(people.seen(sight("A"))) is None
    assert await database.write(people.first_seen(sight("A"), 10.0)) is None
    known = ("A", "19700101", "O")
    assert await database.write(people.first_seen(sight("B"), 20.0)) == known
    assert await database.read(people.seen(sight("B"))) == known
    assert await database.write(people.forget(11.0)) == 1
    assert await database.write(people.first_seen(sight("B"), 30.0)) is None
