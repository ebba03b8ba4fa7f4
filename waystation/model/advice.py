"""What helps against each reason to hold, in one sentence (R-59)."""

from waystation.model.delivery import HoldReason

HELP: dict[HoldReason, str] = {
    HoldReason.NO_RULE: "add a rule that takes it, then queue retry",
    HoldReason.RULE_ERROR: "mend the rule that failed, then queue retry",
    HoldReason.TWO_VERSIONS: "two rules change it differently: decide which, then queue release",
    HoldReason.CONFLICT: "other bytes came under the same UID: compare, then release or discard",
    HoldReason.NO_CONTEXT: "the destination takes no such object: change it, then queue retry",
    HoldReason.OBJECT_REFUSED: "look at status and comment, then queue retry or discard",
    HoldReason.EXPIRED: "see that the destination works, then queue retry",
    HoldReason.DESTINATION_GONE: "bring the destination back, or queue discard",
    HoldReason.CORRUPT: "the stored bytes are damaged: get it from the source again",
    HoldReason.VALIDATION: "queue show --names shows both sides: queue fix, release or discard",
    HoldReason.CHARSET: 'write charset = "utf-8" in the edit, or queue fix it with --utf-8',
    HoldReason.DEID_FAILED: "mend what the reason names, then queue retry; release skips nothing",
    HoldReason.NOT_DEIDENTIFIED: "send it there by a rule with deidentify, then discard this one",
    HoldReason.UNVERIFIED: "see why the destination does not have it, then queue retry or discard",
    HoldReason.OPERATOR: "queue release lets it go on",
    HoldReason.NO_ARCHIVE: "the archive is off (archive.enabled): switch it on, then restart",
}


def help_for(reason: str) -> str:
    """Return what helps, "" for a reason that nobody knows."""
    known = {one.value: text for one, text in HELP.items()}
    return known.get(reason, "")
