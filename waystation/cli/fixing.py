"""``queue fix``, and what ``queue show`` tells of the steps of a rule (R-59, R-66).

Contract: elements are named; values only with ``--names``, which reads the data folder itself:
who may read that may know.
"""

import json
from pathlib import Path
from typing import Any

from waystation.cli.api import data_folder, need_running, who
from waystation.cli.tables import plain
from waystation.model.errors import ConfigError


def fix_delivery(item: str, assigned: list[str], *, utf8: bool, config: Path | None) -> None:
    """Hand new values to the running node."""
    values: dict[str, str] = {}
    for text in assigned:
        keyword, equals, value = text.partition("=")
        if not equals or not keyword:
            raise ConfigError("--set", "write KEYWORD=VALUE, such as PatientID=4711")
        values[keyword.strip()] = value
    if not values:
        raise ConfigError("--set", "say what is to be fixed: KEYWORD=VALUE, such as PatientID=4711")
    api = need_running(data_folder(config))
    order = {"set": values, "utf8": utf8, "user": who()}
    api.post(f"/api/v1/deliveries/{item}/fix", order)
    print(f"{item}: {', '.join(map(plain, values))} fixed; it will be sent")


def print_steps(told: dict[str, Any] | None) -> None:
    """Print what the steps of a rule did to one delivery."""
    if told is None:
        return
    print(f"  steps      {plain(told['steps'])}")
    if told["changed"]:
        print(f"  changed    {plain(', '.join(told['changed']))}")
    if told["deidentified"]:
        print(f"  de-identified by {plain(told['deidentified'])}")
    for before, after, path in told.get("values", ()):
        print(f"    {plain(path)}: {plain(before) or '-'} -> {plain(after) or '-'}")
    for path, ours, theirs in told.get("sides", ()):
        print(f"    {plain(path)}: here {plain(ours) or '-'}, there {plain(theirs) or '-'}")


def with_values(story: dict[str, Any], number: int, data: Path) -> dict[str, Any]:
    """Return a story with the values of what was changed, from the data folder itself."""
    from waystation.cli.journal import StoppedJournal
    from waystation.journal import queue

    journal = StoppedJournal(data)
    arrival_id = journal.read(queue.arrival_of(number))
    found = journal.read(queue.story(number if arrival_id is None else arrival_id))
    for delivery_id, told in found.steps.items() if found is not None else ():
        said = story["steps"].get(f"{delivery_id:x}")
        if said is not None:
            said["values"] = [[before, after, path] for path, before, after in told.changes]
            detail = json.loads(told.detail) if told.detail else {}
            said["sides"] = detail.get("sides", [])
    return story
