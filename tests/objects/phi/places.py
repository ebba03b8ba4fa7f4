"""Where identity hides in an object: one function for each kind of place (D-44).

Contract: each takes the `Sheet` of an object and its `Person`; what is planted is noted in the
answer key.  Retained are only values that the basic profile leaves alone, or that the options of
`tests.transforms.deid.midi` keep.
"""

from tests.objects.phi.key import Sheet
from tests.objects.phi.people import Person

SAFE_CREATOR = "ACME SAFE 01"


def patient(sheet: Sheet, who: Person) -> None:
    """The patient module: the identity itself."""
    family = [word for word in (who.family, who.given) if word]
    sheet.gone(0x00100010, "PN", who.name, *family)
    sheet.gone(0x00100020, "LO", who.patient_id)
    sheet.note("patid_consistent", 0x00100020, who.patient_id)
    sheet.gone(0x00100021, "LO", who.issuer)
    sheet.gone(0x00100030, "DA", who.birth)
    sheet.stays(0x00100040, "CS", "F")
    sheet.stays(0x00101010, "AS", "064Y")
    sheet.gone(0x00101000, "LO", who.other_id)
    sheet.gone(0x00101001, "PN", who.name, *family)
    sheet.gone(0x00101040, "LO", who.address)
    sheet.gone(0x00102154, "SH", who.phone[:16], who.phone[:16])
    sheet.gone(0x00102150, "LO", who.institution)
    inside = sheet.item(0x00101002)
    inside.gone(0x00100020, "LO", who.other_id)
    inside.gone(0x00100021, "LO", who.issuer)


def study(sheet: Sheet, who: Person) -> None:
    """General study and series: dates, people, places, UIDs."""
    for number, (day, time) in enumerate(
        ((0x00080020, 0x00080030), (0x00080021, 0x00080031), (0x00080023, 0x00080033))
    ):
        sheet.date(day, "DA", who.date(number))
        sheet.stays(time, "TM", f"1{number}3015")
    sheet.date(0x0008002A, "DT", f"{who.date(3)}101112")
    sheet.gone(0x00080050, "SH", who.accession)
    sheet.gone(0x00200010, "SH", who.study_id)
    sheet.gone(0x00080080, "LO", who.institution)
    sheet.gone(0x00080081, "ST", who.address)
    for tag, role in (
        *((0x00080090, "referring"), (0x00081050, "performing"), (0x00081070, "operator")),
        *((0x00081060, "reading"), (0x00321032, "requesting")),
    ):
        sheet.gone(tag, "PN", who.names[role], *who.names[role].split("^"))
    sheet.gone(0x00081010, "SH", f"ROOM{who.serial[-6:]}")
    sheet.gone(0x00181000, "LO", who.serial)
    sheet.uid(0x0020000D, who.uid("study"))
    sheet.uid(0x00200052, who.uid("frame"))


def descriptions(sheet: Sheet, who: Person) -> None:
    """Free text that mixes what may stay with who it is."""
    family = who.name.partition("^")[0]
    words = (family, who.patient_id)
    sheet.mixed(0x00081030, "LO", f"CHEST {family} {who.patient_id}", words, "CHEST")
    sheet.mixed(0x0008103E, "LO", f"AXIAL {who.patient_id}", (who.patient_id,), "AXIAL")
    sheet.mixed(0x00181030, "LO", f"ABDOMEN {who.phone}", (who.phone,), "ABDOMEN")
    sheet.gone(0x00204000, "LT", f"Called {who.phone}, born {_german(who.birth)}", who.phone)
    sheet.gone(0x001021B0, "LT", f"{family} lives at {who.address}", family, who.address)
    link = f"see http://pacs.example/{who.accession} of {who.native}"
    sheet.gone(0x00104000, "LT", link, who.accession, who.native)
    sheet.gone(0x00402400, "LT", f"mail {who.mail} or {who.date(5)}", who.mail)


def _german(day: str) -> str:
    return f"{day[6:]}.{day[4:6]}.{day[:4]}"


def nested(sheet: Sheet, who: Person) -> None:
    """Sequences, and sequences in sequences."""
    request = sheet.item(0x00400275)
    request.gone(0x00400007, "LO", f"exam of {who.family}", who.family)
    request.gone(0x00080050, "SH", who.accession)
    request.gone(0x00401001, "SH", f"RP{who.accession[3:]}")
    code = request.item(0x00400008)
    code.put(0x00080100, "SH", "X1")
    code.put(0x00080102, "SH", "99LOCAL")
    code.gone(0x00080104, "LO", f"for {who.names['requesting']}", *_words(who, "requesting"))
    study = sheet.item(0x00081110)
    study.put(0x00081150, "UI", "1.2.840.10008.3.1.2.3.1")
    study.gone(0x00081155, "UI", who.uid("study"))
    source = sheet.item(0x00082112)
    source.put(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.2")
    source.gone(0x00081155, "UI", who.uid("source", 2))
    # Listed below; of these references, the table leaves only this one.
    kept = sheet.item(0x0008114A)
    kept.stays(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.4")
    kept.uid(0x00081155, who.uid("source", 1))
    series = sheet.item(0x00081115)
    series.uid(0x0020000E, who.uid("series", 1))
    instance = series.item(0x0008114A)
    instance.stays(0x00081150, "UI", "1.2.840.10008.5.1.4.1.1.4")
    instance.uid(0x00081155, who.uid("source", 1))
    reader = sheet.item(0x00081062)
    person = reader.item(0x00401101)
    person.gone(0x00080100, "SH", f"N{who.serial[-5:]}")
    person.put(0x00080102, "SH", "99STAFF")
    person.gone(0x00080104, "LO", who.names["reading"].replace("^", " "), *_words(who, "reading"))


def _words(who: Person, role: str) -> list[str]:
    return who.names[role].split("^")


def private(sheet: Sheet, who: Person) -> None:
    """Private blocks: texts, sequences, blobs; and one element that a site calls safe."""
    family = who.family
    sheet.private_gone("ACME PATIENT", 0x0029, 0x10, "LO", f"{family} {who.patient_id}", family)
    sheet.private_gone("ACME PATIENT", 0x0029, 0x11, "PN", who.name, family)
    sheet.private_gone("ACME PATIENT", 0x0029, 0x12, "DA", who.date(6))
    sheet.private_gone("ACME PATIENT", 0x0029, 0x13, "UI", who.uid("private", 3))
    blob = f"<patient name='{family}' id='{who.patient_id}'/>".encode()
    path = sheet.private("SIEMENS CSA HEADER", 0x0029, 0x20, "OB", blob + b" " * (len(blob) % 2))
    sheet.note_path("text_removed", path, who.patient_id)
    inside = sheet.private_item("ACME DEEP", 0x0041, 0x01)
    inside.gone(0x00100010, "PN", who.name, family)
    deeper = inside.private_item("ACME DEEPER", 0x0043, 0x02)
    deeper.private_gone("ACME DEEPEST", 0x0045, 0x03, "LT", f"{who.mail}", who.mail)
    path = sheet.private(SAFE_CREATOR, 0x0019, 0x10, "DS", "1.25")
    sheet.note_path("tag_retained", path)
    sheet.note_path("text_retained", path, "1.25")
    sheet.private_gone(SAFE_CREATOR, 0x0019, 0x11, "LO", who.other_id)


def graphics(sheet: Sheet, who: Person) -> None:
    """An overlay with text in its data and in its labels; a curve."""
    for group in (0x6000, 0x6002):
        base = group << 16
        sheet.put(base | 0x0010, "US", 8)
        sheet.put(base | 0x0011, "US", 16)
        sheet.gone(base | 0x0022, "LO", f"by {who.names['operator']}", who.names["operator"])
        sheet.put(base | 0x0040, "CS", "G")
        sheet.put(base | 0x0050, "SS", [1, 1])
        sheet.put(base | 0x0100, "US", 1)
        sheet.put(base | 0x0102, "US", 0)
        sheet.gone(base | 0x1500, "LO", who.family)
        text = who.patient_id.encode().ljust(16)
        sheet.put(base | 0x3000, "OB", text)
        sheet.note("text_removed", base | 0x3000, who.patient_id)
    sheet.put(0x50000005, "US", 1)
    sheet.gone(0x50000022, "LO", who.family)
    sheet.put(0x50003000, "OB", who.accession.encode())
    sheet.note("text_removed", 0x50003000, who.accession)


def signatures(sheet: Sheet, who: Person) -> None:
    """Original attributes, digital signatures, what was encrypted elsewhere."""
    original = sheet.item(0x04000561)
    original.gone(0x04000564, "LO", who.institution)
    modified = original.item(0x04000550)
    modified.gone(0x00100010, "PN", who.name, who.family)
    signature = sheet.item(0xFFFAFFFA)
    signature.gone(0x04000100, "UI", who.uid("signature", 1))
    signature.put(0x04000115, "OB", f"CN={who.mail} ".encode().ljust(60))
    signature.note("text_removed", 0x04000115, who.mail)


def broken(sheet: Sheet, who: Person) -> None:
    """Values that are not what their VR says."""
    sheet.gone(0x00181012, "DA", f"BORN{who.accession[3:]}", who.accession[3:])
    sheet.gone(0x00400241, "AE", f"{who.accession}TOOLONGFORAE", who.accession)
    sheet.put(0x00320032, "UN", f"{who.patient_id} ".encode().ljust(14))
    sheet.note("text_removed", 0x00320032, who.patient_id)
    sheet.put(0x00189074, "DT", f"{who.date(7)[:4]}.{who.date(7)[4:6]}.{who.date(7)[6:]}")
    sheet.gone(0x00380010, "LO", f"{who.accession}\n{who.mail}", who.accession, who.mail)


def unlisted(sheet: Sheet, who: Person) -> None:
    """Elements that no table names: a date, a person, a UID; and one that may stay."""
    sheet.date(0x00141020, "DA", who.date(8))
    sheet.gone(0x00142006, "PN", who.names["reading"], *_words(who, "reading"))
    sheet.uid(0x00280304, who.uid("unlisted", 1))
    sheet.stays(0x00180050, "DS", "2.5")


def odd(sheet: Sheet, who: Person) -> None:
    """What is legal and seldom: several values, offsets, unknown tags, own character sets."""
    days = [who.date(1), who.date(9)]
    sheet.gone(0x00181200, "DA", days, *days)
    sheet.gone(0x00080015, "DT", f"{who.date(2)}101112.000000+0100", who.date(2))
    sheet.gone(0x00181002, "UI", f"1.2.x.{who.serial}", who.serial)
    sheet.gone(0x0008_FFF2, "LO", f"of {who.patient_id}", who.patient_id)
    item = sheet.item(0x00101100)
    item.put(0x00080005, "CS", "ISO_IR 101")
    item.gone(0x00081155, "UI", who.uid("content", 5))
    item.gone(0x00102297, "PN", "Žďárský^Łukasz", "Žďárský", "Łukasz")
    # A sequence that nobody knew to be one: implicit VR inside, PS3.5 6.2.2.
    name = who.mail.encode().ljust(40)
    inside = b"\x10\0\x60\x10" + len(name).to_bytes(4, "little") + name
    raw = b"\xfe\xff\0\xe0" + len(inside).to_bytes(4, "little") + inside
    sheet.put(0x00081120, "UN", raw)
    sheet.note("text_removed", 0x00081120, who.mail)
    sheet.private_gone("ACME TAIL", 0x7FE3, 0x10, "LO", who.patient_id)
    sheet.put(0xFFFCFFFC, "OB", f"{who.accession} ".encode().ljust(40))
    sheet.note("text_removed", 0xFFFCFFFC, who.accession)
