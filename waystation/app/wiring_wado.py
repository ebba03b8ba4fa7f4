"""Settings and node → retrieval and storing over DICOMweb.  Nothing is started here."""

from dataclasses import replace

from waystation.app.node import Node
from waystation.app.uniting import archived
from waystation.codecs.abilities import reads, writes
from waystation.dicomweb.leaving import Codecs
from waystation.flows.bulk import BulkValues
from waystation.flows.cargo import JournalCargo
from waystation.flows.correcting import CorrectedCargo
from waystation.flows.excerpts import Excerpts
from waystation.flows.frames import Frames
from waystation.flows.rendering import Renderings
from waystation.flows.serving import Objects
from waystation.index.deletion import was_here
from waystation.web.as_received import as_received
from waystation.web.brokered import Broker
from waystation.web.bulk import Bulk
from waystation.web.deletion import delete_resources
from waystation.web.dicomweb import Resource
from waystation.web.frames import frame_resources
from waystation.web.rendered import rendered_resources
from waystation.web.stow import Intake, store_resources
from waystation.web.thumbnail import thumbnail_resources
from waystation.web.wado import Store, retrieve_resources, sender
from waystation.web.wado_uri import uri_resources


def wado(node: Node, broker: Broker | None = None) -> list[Resource]:
    """Return the resources that give and take objects.  broker: what is not in the archive."""
    cargo = JournalCargo(node.database, node.blobs, node.disk, node.recent)
    # Frames, values and pixels are read where they lie; whole objects and words leave corrected.
    objects = Objects(cargo, node.codecs)
    book = node.archivist.corrections
    leaving = CorrectedCargo(cargo, book, node.disk)
    store = _store(node, Objects(leaving, node.codecs, book.version), broker)
    frames = Frames(node.database, node.blobs, node.disk, objects)
    excerpts = Excerpts(frames, node.blobs, node.disk)
    values = BulkValues(node.blobs, node.disk, objects)

    def giving(store: Store) -> list[Resource]:
        renderings = Renderings(objects, excerpts, store.objects)
        bulk = Bulk(store, values, frames)
        return [
            *retrieve_resources(store, bulk.all),
            *frame_resources(store, frames),
            *bulk.resources(),
            *rendered_resources(store, renderings),
            *thumbnail_resources(store, renderings),
            *uri_resources(store, renderings, frames, sender(store)),
        ]

    return [
        *as_received(giving(store), giving(replace(store, objects=objects))),
        *delete_resources(store, node.archivist.delete, lambda: node.settings.web.delete),
        *store_resources(
            Intake(
                keeping=node.keeping,
                shut=lambda: _shut(node),
                folder=node.data,
                codecs=node.codecs,
            )
        ),
    ]


def _shut(node: Node) -> str:
    """Return why nothing is taken now, or ""."""
    return "this node is being stopped" if node.draining else node.sweep.stopped_why


def _store(node: Node, objects: Objects, broker: Broker | None) -> Store:
    return Store(
        deliveries=archived(node),
        was_here=lambda path: node.database.read(was_here(path)),
        objects=objects,
        codecs=Codecs(reads=reads(), writes=writes()),
        as_stored=lambda: node.settings.web.default_transfer_syntax == "as-stored",
        broker=broker,
    )
