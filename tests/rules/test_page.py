"""The page about rules names every word that a rule may use."""

import re

from tests.source import REPOSITORY
from waystation.rules.expression import STUDY
from waystation.rules.expression_calls import CALLS
from waystation.rules.predicates import MODIFIERS, PREDICATES
from waystation.rules.subjects import FACTS


def test_the_page_names_every_fact_predicate_and_function() -> None:
    page = (REPOSITORY / "docs" / "reference" / "rules.md").read_text("utf-8")
    prose = re.sub(r"^```.*?^```", "", page, flags=re.MULTILINE | re.DOTALL)
    code = " ".join(re.findall(r"`([^`]+)`", prose))
    words = set(re.findall(r"[a-z_]+(?:\.[a-z_]+)?", code))
    wanted = {*FACTS, *PREDICATES, *MODIFIERS, *CALLS, *STUDY}
    assert wanted <= words, wanted - words
