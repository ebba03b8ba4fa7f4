"""The state machine of the DICOM upper layer: PS3.8 table 9-10, all 19 x 13 cells, both roles.

Contract: `step` looks an event up and says which action to carry out and where it leads.  The
table decides and nothing else does; it carries nothing out.  A dot is a blank cell of the
Standard: such an event cannot happen in that state, so whoever reports it has a bug.

    Sta1  idle                              Sta8   peer asked for release, our answer due
    Sta2  transport open, awaiting the RQ   Sta9   release collision, requestor: our answer due
    Sta3  RQ came, our answer due           Sta10  release collision, acceptor: awaiting RP
    Sta4  awaiting the transport            Sta11  release collision, requestor: awaiting RP
    Sta5  RQ sent, awaiting AC or RJ        Sta12  release collision, acceptor: our answer due
    Sta6  association established           Sta13  awaiting the end of the transport
    Sta7  release asked by us, awaiting RP
"""

from enum import IntEnum

from waystation.model.errors import MisuseError


class State(IntEnum):
    """The 13 states; what they mean stands above."""

    STA1 = 1
    STA2 = 2
    STA3 = 3
    STA4 = 4
    STA5 = 5
    STA6 = 6
    STA7 = 7
    STA8 = 8
    STA9 = 9
    STA10 = 10
    STA11 = 11
    STA12 = 12
    STA13 = 13


class Evt(IntEnum):
    """The 19 events, by their numbers in the Standard."""

    ASSOCIATE_REQUEST = 1  # local: open an association
    TRANSPORT_CONFIRM = 2  # the transport we asked for is open
    AC_CAME = 3
    RJ_CAME = 4
    TRANSPORT_INDICATION = 5  # a peer opened a transport to us
    RQ_CAME = 6
    ACCEPT = 7  # local answer
    REJECT = 8  # local answer
    DATA_REQUEST = 9  # local: send P-DATA
    DATA_CAME = 10
    RELEASE_REQUEST = 11  # local
    RELEASE_RQ_CAME = 12
    RELEASE_RP_CAME = 13
    RELEASE_RESPONSE = 14  # local answer
    ABORT_REQUEST = 15  # local
    ABORT_CAME = 16
    TRANSPORT_CLOSED = 17
    ARTIM_EXPIRED = 18
    INVALID_PDU = 19


TABLE_9_10 = """
       Sta1  Sta2  Sta3  Sta4  Sta5  Sta6  Sta7  Sta8  Sta9  Sta10 Sta11 Sta12 Sta13
Evt1   AE-1  .     .     .     .     .     .     .     .     .     .     .     .
Evt2   .     .     .     AE-2  .     .     .     .     .     .     .     .     .
Evt3   .     AA-1  AA-8  .     AE-3  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt4   .     AA-1  AA-8  .     AE-4  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt5   AE-5  .     .     .     .     .     .     .     .     .     .     .     .
Evt6   .     AE-6  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
Evt7   .     .     AE-7  .     .     .     .     .     .     .     .     .     .
Evt8   .     .     AE-8  .     .     .     .     .     .     .     .     .     .
Evt9   .     .     .     .     .     DT-1  .     AR-7  .     .     .     .     .
Evt10  .     AA-1  AA-8  .     AA-8  DT-2  AR-6  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt11  .     .     .     .     .     AR-1  .     .     .     .     .     .     .
Evt12  .     AA-1  AA-8  .     AA-8  AR-2  AR-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-6
Evt13  .     AA-1  AA-8  .     AA-8  AA-8  AR-3  AA-8  AA-8  AR-10 AR-3  AA-8  AA-6
Evt14  .     .     .     .     .     .     .     AR-4  AR-9  .     .     AR-4  .
Evt15  .     .     AA-1  AA-2  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  AA-1  .
Evt16  .     AA-2  AA-3  .     AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-3  AA-2
Evt17  .     AA-5  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AA-4  AR-5
Evt18  .     AA-2  .     .     .     .     .     .     .     .     .     .     AA-2
Evt19  .     AA-1  AA-8  .     AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-8  AA-7
"""

# Where an action leads (PS3.8 tables 9-6 to 9-9).  Two of them choose: AE-6 rejects what the
# provider cannot accept, AR-8 goes to Sta9 for a requestor and to Sta10 for an acceptor.
NEXT: dict[str, tuple[State, ...]] = {
    "AE-1": (State.STA4,),
    "AE-2": (State.STA5,),
    "AE-3": (State.STA6,),
    "AE-4": (State.STA1,),
    "AE-5": (State.STA2,),
    "AE-6": (State.STA3, State.STA13),
    "AE-7": (State.STA6,),
    "AE-8": (State.STA13,),
    "DT-1": (State.STA6,),
    "DT-2": (State.STA6,),
    "AR-1": (State.STA7,),
    "AR-2": (State.STA8,),
    "AR-3": (State.STA1,),
    "AR-4": (State.STA13,),
    "AR-5": (State.STA1,),
    "AR-6": (State.STA7,),
    "AR-7": (State.STA8,),
    "AR-8": (State.STA9, State.STA10),
    "AR-9": (State.STA11,),
    "AR-10": (State.STA12,),
    "AA-1": (State.STA13,),
    "AA-2": (State.STA1,),
    "AA-3": (State.STA1,),
    "AA-4": (State.STA1,),
    "AA-5": (State.STA1,),
    "AA-6": (State.STA13,),
    "AA-7": (State.STA13,),
    "AA-8": (State.STA13,),
}


def _cells(table: str) -> dict[tuple[Evt, State], str]:
    lines = table.strip().splitlines()[1:]
    return {
        (Evt(row), State(column)): action
        for row, line in enumerate(lines, 1)
        for column, action in enumerate(line.split()[1:], 1)
        if action != "."
    }


CELLS = _cells(TABLE_9_10)


def step(
    event: Evt, state: State, *, requestor: bool, acceptable: bool = True
) -> tuple[str, State]:
    """Return the action to carry out and the state it leads to.

    requestor: did we open the association (matters to AR-8).
    acceptable: can the provider take this A-ASSOCIATE-RQ (matters to AE-6).
    Raises `MisuseError` for a blank cell.
    """
    action = CELLS.get((event, state))
    if action is None:
        raise MisuseError(f"Evt{event.value} ({event.name}) cannot happen in Sta{state.value}")
    ways = NEXT[action]
    if action == "AE-6":
        return action, ways[0 if acceptable else 1]
    if action == "AR-8":
        return action, ways[0 if requestor else 1]
    return action, ways[0]
