"""The cases of `tests.app.test_strictness` for what comes in otherwise than over DICOM."""

from waystation.app import settings_hl7, settings_inbox
from waystation.app.settings_base import Table

CASES: dict[type[Table], tuple[str, str, str, str]] = {
    settings_inbox.InboxSettings: (
        '[inbox.share]\npath = "in"\n',
        "inbox.share",
        'after = "burn"',
        'expected "keep" or "delete"',
    ),
    settings_hl7.Hl7Settings: (
        "[worklist.hl7]\n",
        "worklist.hl7",
        'port = "x"',
        "expected a whole number",
    ),
    settings_hl7.Hl7Sender: (
        '[worklist.hl7.sender.ris]\naddress = ["10.0.0.5"]\n',
        "worklist.hl7.sender.ris",
        "authority = 5",
        "expected text, got a number",
    ),
    settings_hl7.FolderBridge: (
        '[worklist.folder]\npath = "wl"\n',
        "worklist.folder",
        'mode = "look"',
        'expected "watch", "import" or "two-way"',
    ),
}
