"""What every test may rely on: checked requirement ids, hypothesis profiles, golden sets."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.requirement_ids import requirements

GOLDEN = Path(__file__).parent.parent.parent / "shared" / "golden"

settings.register_profile("default", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "nightly",
    max_examples=20_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse the run when a test names a requirement that docs/spec does not define.

    A worker of xdist could only crash; there test_requirements.py says the same.
    """
    if hasattr(config, "workerinput"):
        return
    known = requirements()
    for item in items:
        for mark in item.iter_markers("req"):
            unknown = [name for name in mark.args if name not in known]
            if unknown or mark.kwargs or not mark.args:
                raise pytest.UsageError(f"{item.nodeid}: unknown requirement in {mark}")


@pytest.fixture(scope="session")
def golden() -> Path:
    """Return the folder of golden sets beside the checkout; skip where there is none."""
    if GOLDEN.is_dir():
        return GOLDEN
    problem = "golden sets are not beside this checkout (../shared/golden)"
    if os.environ.get("CI") == "true":
        pytest.fail(problem)
    pytest.skip(problem)
