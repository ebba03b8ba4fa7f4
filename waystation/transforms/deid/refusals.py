"""Objects that are not de-identified but held, whatever their attributes say (D-12, D-21, D-27).

Contract: `refusal` gives the reason in words that show nothing of the patient, "" for an object
that may be treated.  `reduce` makes a dummy of a document where the profile asks for one.
"""

from typing import Final

from waystation.dicom import tags
from waystation.dicom.tree import Elem, Tree
from waystation.dicom.uids import NON_PATIENT_CLASSES
from waystation.transforms.deid.profile import Profile
from waystation.transforms.deid.risk import is_video

STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
DIRECTORY: Final = "1.2.840.10008.1.3.10"
REPORTS, ENCAPSULATED = STORAGE + "88.", STORAGE + "104."
# Voice, moving pictures of persons: nobody can clean them here.
RECORDINGS: Final = frozenset(
    STORAGE + suffix for suffix in ("9.4.1", "9.4.2", "77.1.1.1", "77.1.2.1", "77.1.4.1")
)
CONTENT, DOCUMENT, DOCUMENT_LENGTH = 0x0040A730, 0x00420011, 0x00420015
BODY_PART, ANATOMY = 0x00180015, 0x00082218
REPORT, ENCAPSULATED_DOCUMENT = "structured report", "encapsulated document"
VISUAL: Final = "clean_recognizable_visual_features"
FACES = "it may show recognizable features, and nobody looked at it"
_PDF_OBJECTS: Final = (
    b"<</Type/Catalog/Pages 2 0 R>>",
    b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 4 0 R>>>>"
    b"/Contents 5 0 R>>",
    b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    b"<</Length 39>>stream\nBT /F1 12 Tf 72 770 Td (REMOVED) Tj ET \nendstream",
)


def dummy_pdf() -> bytes:
    """Return one page that says REMOVED (PDF 1.4)."""
    made, places = b"%PDF-1.4\n", list[int]()
    for number, content in enumerate(_PDF_OBJECTS, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(places) + 1
    table = b"xref\n0 %d\n0000000000 65535 f \n" % count + rows
    return (
        made
        + table
        + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(made))
    )


def refusal(tree: Tree, profile: Profile, syntax: str, *, unrecognizable: bool) -> str:
    """Return why an object is held; unrecognizable: a person said that it shows nobody."""
    sop_class = tree.text(tags.SOP_CLASS_UID)
    if not sop_class or not tree.text(tags.SOP_INSTANCE_UID):
        return "it does not say what it is (SOP Class or SOP Instance UID)"
    if sop_class == DIRECTORY:
        return "a DICOMDIR is not de-identified but made anew"
    if sop_class in dict(profile.classes):
        return ""
    if sop_class in RECORDINGS or is_video(syntax):
        return "audio and video are held unless the profile names their SOP class"
    if profile.documents == "hold" and (kind := document_kind(tree, profile)):
        return f"{kind}s are held (documents)"
    if profile.has(VISUAL) and not unrecognizable and may_show_a_face(tree, profile):
        return FACES
    return ""


def document_kind(tree: Tree, profile: Profile) -> str:
    """Return what kind of document it is that cannot be cleaned, "" if it is none."""
    sop_class = tree.text(tags.SOP_CLASS_UID)
    if sop_class.startswith(ENCAPSULATED) or DOCUMENT in tree:
        return ENCAPSULATED_DOCUMENT
    if sop_class.startswith(REPORTS) or CONTENT in tree:
        return "" if profile.has("clean_structured_content") else REPORT
    return ""


def may_show_a_face(tree: Tree, profile: Profile) -> bool:
    """Tell whether it is a photograph, or a slice image of a head, or of who knows what."""
    visual = profile.visual
    modality = tree.text(tags.MODALITY).upper()
    if modality in visual.photographs or not modality:
        return True
    if modality not in visual.modalities:
        return False
    part = tree.text(BODY_PART).upper().replace(" ", "").replace("_", "")
    return not part or part in visual.body_parts


def belongs_to_nobody(tree: Tree) -> bool:
    """Tell whether it is an object of no patient, such as a colour palette."""
    return tree.text(tags.SOP_CLASS_UID) in NON_PATIENT_CLASSES


def reduce_report(tree: Tree, profile: Profile) -> None:
    """Leave one content item of a report that cannot be cleaned (D-21)."""
    if document_kind(tree, profile) == REPORT:
        tree.put_items(CONTENT, [_removed(tree.form)])


def replace_document(tree: Tree, profile: Profile) -> None:
    """Put a page that says REMOVED in the place of an encapsulated document (D-21)."""
    if document_kind(tree, profile) == ENCAPSULATED_DOCUMENT:
        is_pdf = tree.text(tags.SOP_CLASS_UID) == ENCAPSULATED + "1"
        tree.put(DOCUMENT, "OB", dummy_pdf() if is_pdf else b"\0\0")
        tree.remove({DOCUMENT_LENGTH})


def _removed(form: int) -> Tree:
    concept = [
        Elem.new(0x00080100, "SH", b"121106", form),
        Elem.new(0x00080102, "SH", b"DCM", form),
        Elem.new(0x00080104, "LO", b"Comment", form),
    ]
    return Tree(
        form,
        elements=[
            Elem.new(0x0040A010, "CS", b"CONTAINS", form),
            Elem.new(0x0040A040, "CS", b"TEXT", form),
            Elem.sequence(0x0040A043, [Tree(form, elements=concept)], form),
            Elem.new(0x0040A160, "UT", b"REMOVED", form),
        ],
    )
