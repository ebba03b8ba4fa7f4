"""Which presentation contexts come into force: the answer of an acceptor, the offer of a requestor.

Contract: pure.  `answer` gives every offered context its result by an `AcceptPolicy`; `refusal`
finds what makes a request unacceptable to the protocol itself; `propose` spreads what a requestor
wants over as few associations as 128 contexts each allow; `agreed` says what is in force once
both sides have spoken.  Who may call at all is decided elsewhere.

Every registered storage class is accepted, and so is any class that nobody has registered: what a
private class does cannot be known, so it counts as storage.  The policy may refuse both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from waystation.dicom.uids import (
    APPLICATION_CONTEXT,
    IMPLICIT_VR_LE,
    ROOT,
    UNCOMPRESSED,
    VERIFICATION,
    is_storage_class,
    is_transfer_syntax,
    is_uid,
    sop_classes,
)
from waystation.wire.items import (
    ABSTRACT_SYNTAX_REFUSED,
    ACCEPTED,
    TRANSFER_SYNTAXES_REFUSED,
    AcceptedContext,
    AssociateReject,
    AssociateRequest,
    ContextResult,
    ProposedContext,
    Role,
)
from waystation.wire.limits import DEFAULT_LIMITS, Limits
from waystation.wire.names import is_ae_title

_STORAGE_BRANCH = ROOT + "5.1.4.1.1."

REFUSED_APPLICATION_CONTEXT = AssociateReject(1, 1, 2)
REFUSED_PROTOCOL_VERSION = AssociateReject(1, 2, 2)
REFUSED_CALLING_TITLE = AssociateReject(1, 1, 3)
REFUSED_CALLED_TITLE = AssociateReject(1, 1, 7)
REFUSED_IDENTITY = AssociateReject(1, 1, 1)


def is_storage(sop_class: str) -> bool:
    """Is this a registered storage class, or one that nobody has registered yet?

    Unregistered are private classes, and future ones in the Standard's storage branch.
    """
    if sop_class in sop_classes():
        return is_storage_class(sop_class)
    return not sop_class.startswith(ROOT) or sop_class.startswith(_STORAGE_BRANCH)


def is_standard_syntax(uid: str) -> bool:
    """Is this a registered transfer syntax, or a future one of the Standard's branch?"""
    return uid.startswith(IMPLICIT_VR_LE + ".") or is_transfer_syntax(uid)


def listed(uid: str, patterns: Iterable[str]) -> bool:
    """Is ``uid`` one of the entries?  An entry that ends in ``*`` stands for all it begins."""
    return any(
        uid.startswith(pattern[:-1]) if pattern.endswith("*") else uid == pattern
        for pattern in patterns
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptPolicy:
    """Which classes and syntaxes we take (R-16, R-17).

    accept, refuse: SOP class UIDs, or beginnings of UIDs with ``*``.  Empty ``accept`` is all
        storage; ``refuse`` wins, over services too.  Verification stays whatever they say.
    services: classes served besides storage and Verification (queries, worklist ...); their data
        sets are decoded by us, so only ``service_syntaxes`` will do.
    known_storage: storage classes that are taken as if they were registered.
    unknown_classes: take storage classes that are not registered, private ones above all.
    unknown_syntaxes: of a context without any standard syntax, take the first offered.
    peer_scp: classes for which the requestor may also be SCP, a list like ``refuse`` (C-GET).
    """

    accept: tuple[str, ...] = ()
    refuse: tuple[str, ...] = ()
    services: frozenset[str] = frozenset()
    service_syntaxes: frozenset[str] = UNCOMPRESSED
    known_storage: frozenset[str] = frozenset()
    unknown_classes: bool = True
    unknown_syntaxes: bool = True
    peer_scp: tuple[str, ...] = ()

    def accepts(self, sop_class: str) -> bool:
        """May a context for this class come into force?"""
        if sop_class == VERIFICATION:
            return True
        if not is_uid(sop_class) or listed(sop_class, self.refuse):
            return False
        if sop_class in self.services:
            return True
        if self.accept and not listed(sop_class, self.accept):
            return False
        if sop_class in self.known_storage:
            return True
        if is_storage_class(sop_class):
            return True
        return self.unknown_classes and is_storage(sop_class)

    def stores(self, sop_class: str) -> bool:
        """Are objects of this class kept, however they come?"""
        return sop_class not in (VERIFICATION, *self.services) and self.accepts(sop_class)

    def choose(self, context: ProposedContext) -> str:
        """Return the transfer syntax to accept, "" if none will do."""
        offered = [uid for uid in context.transfer_syntaxes if is_uid(uid)]
        if context.abstract_syntax in self.services or context.abstract_syntax == VERIFICATION:
            return next((uid for uid in offered if uid in self.service_syntaxes), "")
        known = next((uid for uid in offered if is_standard_syntax(uid)), "")
        if known or not self.unknown_syntaxes:
            return known
        return offered[0] if offered else ""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What `Association.accept` needs, and what will be in force."""

    results: tuple[ContextResult, ...]
    roles: tuple[Role, ...]
    accepted: dict[int, AcceptedContext]


def refusal(request: AssociateRequest, limits: Limits = DEFAULT_LIMITS) -> AssociateReject | None:
    """Return the rejection that the protocol itself demands (E14, L5, L6), or None."""
    if not request.protocol_version & 1:
        return REFUSED_PROTOCOL_VERSION
    if request.application_context != APPLICATION_CONTEXT:
        return REFUSED_APPLICATION_CONTEXT
    if not is_ae_title(request.calling_ae):
        return REFUSED_CALLING_TITLE
    if not is_ae_title(request.called_ae):
        return REFUSED_CALLED_TITLE
    identity = request.user_identity
    if identity is not None:
        longest = max(len(identity.primary), len(identity.secondary))
        if longest > limits.identity_bytes:
            return REFUSED_IDENTITY
    return None


def answer(
    policy: AcceptPolicy, request: AssociateRequest, limits: Limits = DEFAULT_LIMITS
) -> Negotiated:
    """Return a result for every offered context, and the roles we grant."""
    results = tuple(_result(policy, context, limits) for context in request.contexts)
    roles = tuple(
        Role(role.sop_class, role.scu, role.scp and listed(role.sop_class, policy.peer_scp))
        for role in request.roles
        if policy.accepts(role.sop_class)
    )
    return Negotiated(results, roles, agreed(request, results, roles))


def _result(policy: AcceptPolicy, context: ProposedContext, limits: Limits) -> ContextResult:
    if not policy.accepts(context.abstract_syntax):
        return ContextResult(context.id, ABSTRACT_SYNTAX_REFUSED)
    if len(context.transfer_syntaxes) > limits.syntaxes_per_context:
        return ContextResult(context.id, TRANSFER_SYNTAXES_REFUSED)
    syntax = policy.choose(context)
    if not syntax:
        return ContextResult(context.id, TRANSFER_SYNTAXES_REFUSED)
    return ContextResult(context.id, ACCEPTED, syntax)


def agreed(
    request: AssociateRequest, results: Iterable[ContextResult], roles: Iterable[Role]
) -> dict[int, AcceptedContext]:
    """Return the contexts in force by id: accepted ones of those that were really offered.

    A role counts only where the requestor had offered it (PS3.7 D.3.3.4).
    """
    offered = {context.id: context for context in request.contexts}
    asked = {role.sop_class: role for role in request.roles}
    granted = {role.sop_class: role for role in roles if role.sop_class in asked}
    contexts: dict[int, AcceptedContext] = {}
    for result in results:
        context = offered.get(result.id)
        if context is None or result.result != ACCEPTED:
            continue
        if result.transfer_syntax not in context.transfer_syntaxes:
            continue
        name = context.abstract_syntax
        scu, scp = True, False
        if name in granted:
            scu = granted[name].scu and asked[name].scu
            scp = granted[name].scp and asked[name].scp
        contexts[result.id] = AcceptedContext(result.id, name, result.transfer_syntax, scu, scp)
    return contexts


def propose(
    wanted: Sequence[tuple[str, Sequence[str]]], *, most: int = 128
) -> list[tuple[ProposedContext, ...]]:
    """Return the contexts to offer, one tuple per association, in the order wanted.

    wanted: (SOP class, transfer syntaxes); each entry becomes a context of its own, equal ones
    only once.
    """
    entries = list(dict.fromkeys((name, tuple(syntaxes)) for name, syntaxes in wanted))
    return [
        tuple(
            ProposedContext(2 * number + 1, name, syntaxes)
            for number, (name, syntaxes) in enumerate(entries[start : start + most])
        )
        for start in range(0, len(entries), most)
    ]
