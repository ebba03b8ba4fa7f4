"""Identity of one SOP instance: what the journal and the lanes need to know of an object."""

from waystation.model.values import value


@value
class Instance:
    """Identity and head values of one SOP instance; never its pixels.

    UIDs are text without padding; ``study_uid`` and ``series_uid`` are empty for the few
    classes that have none (hanging protocols, colour palettes ...).
    """

    sop_class_uid: str
    sop_instance_uid: str
    study_uid: str
    series_uid: str
    transfer_syntax_uid: str
    patient_id: str = ""
    modality: str = ""
