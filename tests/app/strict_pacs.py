"""The cases of `tests.app.test_strictness` for the PACS behind the broker and their cache."""

from waystation.app import settings_pacs
from waystation.app.settings_base import Table

OLD = '[pacs.old]\nae_title = "OLD"\nhost = "h"\n'

CASES: dict[type[Table], tuple[str, str, str, str]] = {
    settings_pacs.PacsSettings: (OLD, "pacs.old", 'retrieve = "push"', 'expected "auto", "get"'),
    settings_pacs.PacsService: (
        *(f"{OLD}[pacs.old.find]\n", "pacs.old.find", 'port = "x"', "expected a whole number"),
    ),
    settings_pacs.PacsAssociations: (
        f"{OLD}[pacs.old.associations]\n",
        "pacs.old.associations",
        'find = "4"',
        "expected a whole number",
    ),
    settings_pacs.PacsTimeouts: (
        f"{OLD}[pacs.old.timeouts]\n",
        "pacs.old.timeouts",
        "find = 30",
        "a duration is a number",
    ),
    settings_pacs.PacsRetry: (
        f"{OLD}[pacs.old.retry]\n",
        "pacs.old.retry",
        'attempts = "3"',
        "expected a whole number",
    ),
    settings_pacs.CacheSettings: ("[cache]\n", "cache", "max_size = 5", "a size is a number"),
}
