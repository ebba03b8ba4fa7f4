"""What belongs into single SOP classes: reports, plans, groups of frames, documents.

Contract: like `places`: a function for each, values planted and noted.
"""

from tests.objects.phi.key import Sheet
from tests.objects.phi.people import Person

CHEST = ("T-D3000", "SRT", "Chest")


def code(sheet: Sheet, tag: int, said: tuple[str, str, str]) -> Sheet:
    """Return the item of a code sequence."""
    item = sheet.item(tag)
    for element, vr, value in zip(
        (0x00080100, 0x00080102, 0x00080104), ("SH", "SH", "LO"), said, strict=True
    ):
        item.put(element, vr, value)
    return item


def specimen(sheet: Sheet, who: Person) -> None:
    """A slide: container, specimen, label."""
    sheet.gone(0x00400512, "LO", f"BOX-{who.accession[3:]}")
    sheet.gone(0x22000002, "UT", f"label {who.family}", who.family)
    item = sheet.item(0x00400560)
    item.gone(0x00400551, "LO", f"SPEC-{who.accession[3:]}")
    item.gone(0x00400600, "LO", f"biopsy of {who.family}", who.family)


def groups(sheet: Sheet, who: Person) -> None:
    """Functional groups of a multi-frame image: dates and UIDs of frames."""
    shared = sheet.item(0x52009229)
    spacing = shared.item(0x00289110)
    spacing.stays(0x00180050, "DS", "1.5")
    for number in range(2):
        frame = sheet.item(0x52009230)
        content = frame.item(0x00209111)
        content.date(0x00189074, "DT", f"{who.date(number)}0900{number:02d}")
        content.gone(0x00204000, "LT", f"frame of {who.family}", who.family)
        source = frame.item(0x00089124)
        image = source.item(0x00082112)
        image.put(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2")
        image.gone(0x00081155, "UI", who.uid("source", number + 1))
        frame.private_gone("ACME FRAME", 0x0051, 0x10 + number, "LO", who.patient_id)


def structures(sheet: Sheet, who: Person) -> None:
    """An RT structure set: labels and operators."""
    sheet.mixed(0x30060002, "SH", f"CHEST {who.given[:9]}", (who.given[:9],), "CHEST")
    sheet.gone(0x30060006, "ST", f"drawn for {who.family}", who.family)
    sheet.date(0x30060008, "DA", who.date(4))
    referenced = sheet.item(0x30060010)
    referenced.uid(0x00200052, who.uid("frame"))
    region = sheet.item(0x30060020)
    region.stays(0x30060022, "IS", "1")
    region.uid(0x30060024, who.uid("frame"))
    region.gone(0x30060026, "LO", f"{who.given} nodule", who.given)
    observation = sheet.item(0x30060080)
    observation.gone(0x300600A6, "PN", who.names["operator"], *who.names["operator"].split("^"))


def plan(sheet: Sheet, who: Person) -> None:
    """An RT plan: labels, dates, machines."""
    sheet.gone(0x300A0002, "SH", who.family[:16], who.family[:16])
    sheet.gone(0x300A0004, "ST", f"plan of {who.name}", who.family)
    sheet.date(0x300A0006, "DA", who.date(5))
    beam = sheet.item(0x300A00B0)
    beam.stays(0x300A00C0, "IS", "1")
    beam.gone(0x300A00B2, "SH", f"LINAC{who.serial[-6:]}")
    beam.gone(0x300A00C3, "ST", f"beam for {who.patient_id}", who.patient_id)


def report(sheet: Sheet, who: Person) -> None:
    """A structured report: a person, a text, a number, an image, a date."""
    sheet.stays(0x0040A040, "CS", "CONTAINER")
    code(sheet, 0x0040A043, ("126000", "DCM", "Imaging Report"))
    sheet.put(0x0040A050, "CS", "SEPARATE")
    size = _content(sheet, "NUM", ("103339001", "SCT", "Long axis"))
    measured = size.item(0x0040A300)
    measured.stays(0x0040A30A, "DS", "12.5")
    code(measured, 0x004008EA, ("mm", "UCUM", "millimeter"))
    image = _content(sheet, "IMAGE", ("121112", "DCM", "Source of Measurement"))
    reference = image.item(0x00081199)
    reference.stays(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2")
    reference.uid(0x00081155, who.uid("source", 1))
    # What may be dropped whole comes last: the numbers of the others stay.
    observer = _content(sheet, "PNAME", ("121008", "DCM", "Person Observer Name"))
    name = who.names["reading"]
    observer.gone(0x0040A123, "PN", name, *name.split("^"))
    finding = _content(sheet, "TEXT", ("121071", "DCM", "Finding"))
    finding.gone(0x0040A160, "UT", f"{who.family} {who.given}, {who.phone}", who.family, who.phone)


def _content(sheet: Sheet, kind: str, concept: tuple[str, str, str]) -> Sheet:
    item = sheet.item(0x0040A730)
    item.put(0x0040A010, "CS", "CONTAINS")
    item.put(0x0040A040, "CS", kind)
    code(item, 0x0040A043, concept)
    return item


def key_object(sheet: Sheet, who: Person) -> None:
    """A key object selection."""
    sheet.put(0x0040A040, "CS", "CONTAINER")
    code(sheet, 0x0040A043, ("113000", "DCM", "Of Interest"))
    sheet.put(0x0040A050, "CS", "SEPARATE")
    text = _content(sheet, "TEXT", ("113012", "DCM", "Key Object Description"))
    text.gone(0x0040A160, "UT", f"show to {who.names['referring']}", who.names["referring"])
    evidence = sheet.item(0x0040A375)
    evidence.uid(0x0020000D, who.uid("study"))
    series = evidence.item(0x00081115)
    series.uid(0x0020000E, who.uid("series", 1))


def presentation(sheet: Sheet, who: Person) -> None:
    """A presentation state with a name written across the image."""
    sheet.gone(0x00700084, "PN", who.names["operator"], *who.names["operator"].split("^"))
    sheet.date(0x00700082, "DA", who.date(6))
    annotation = sheet.item(0x00700001)
    text = annotation.item(0x00700008)
    text.gone(0x00700006, "ST", f"{who.family} {who.birth}", who.family, who.birth)


def document(sheet: Sheet, who: Person) -> None:
    """An encapsulated PDF."""
    sheet.gone(0x00420010, "ST", f"letter on {who.family}", who.family)
    sheet.put(0x00420012, "LO", "application/pdf")
    sheet.put(0x00420011, "OB", f"%PDF-1.4 {who.patient_id} %%EOF ".encode().ljust(64))
    sheet.note("text_removed", 0x00420011, who.patient_id)


def waveform(sheet: Sheet, who: Person) -> None:
    """An ECG whose annotations name the patient."""
    wave = sheet.item(0x54000100)
    wave.put(0x54001004, "US", 16)
    wave.put(0x54001010, "OW", bytes(64))
    note = sheet.item(0x0040B020)
    note.gone(0x00700006, "ST", f"{who.family} resting", who.family)
