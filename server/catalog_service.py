"""CatalogService: keeps the catalogue. Works without a generation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import grpc

from recommender.errors import InvalidInput
from recommender.items import Item
from recommender.store import Store, Upserted
from recommender.v1 import catalog_pb2, catalog_pb2_grpc
from server.live import Live
from server.reading import BATCH_LIMIT, batch_of, ids_of, item_of, state_of, within
from server.writing import UPSERT_STATUS, stored_item_message


class CatalogService(catalog_pb2_grpc.CatalogServiceServicer):
    """Every call acts on the store; hiding and deleting reach every feed with its next request."""

    def __init__(self, store: Store, live: Live, now: Callable[[], datetime]) -> None:
        self._store = store
        self._live = live
        self._now = now

    def UpsertItems(self, request: catalog_pb2.UpsertItemsRequest, context: grpc.ServicerContext) -> catalog_pb2.UpsertItemsResponse:
        """Add or replace items; a bad one is rejected alone."""
        batch_of(len(request.items), "items")
        results = [catalog_pb2.UpsertResult(item_id=message.id) for message in request.items]
        items: list[Item] = []
        places: list[int] = []
        for place, message in enumerate(request.items):
            try:
                with within(f"items[{place}]"):
                    items.append(item_of(message))
                places.append(place)
            except InvalidInput as error:
                results[place].status = catalog_pb2.UPSERT_STATUS_REJECTED
                results[place].message = str(error)
        upserted = self._store.upsert_items(items, now=self._now())
        for place, item, outcome in zip(places, items, upserted, strict=True):
            results[place].status = UPSERT_STATUS[outcome.status]
            results[place].awaits_embedding = self._awaits_embedding(item, outcome)
        waiting = len({result.item_id for result in results if result.awaits_embedding})
        return catalog_pb2.UpsertItemsResponse(results=results, note=_note(waiting))

    def _awaits_embedding(self, item: Item, outcome: Upserted) -> bool:
        """Whether there are words that were not embedded, as far as this process knows: new ones never were."""
        if item.embedding is not None or not (item.title.strip() or item.text.strip()):
            return False
        return outcome.text_changed or self._live.awaits_embedding(outcome.number)

    def GetItems(self, request: catalog_pb2.GetItemsRequest, context: grpc.ServicerContext) -> catalog_pb2.GetItemsResponse:
        """Read items."""
        ids = _ids(request.item_ids)
        found = self._store.get_items(ids)
        there = {stored.item.id for stored in found}
        return catalog_pb2.GetItemsResponse(
            items=[stored_item_message(stored, ready=self._live.knows(stored)) for stored in found],
            unknown_item_ids=[item_id for item_id in ids if item_id not in there],
        )

    def SetState(self, request: catalog_pb2.SetStateRequest, context: grpc.ServicerContext) -> catalog_pb2.SetStateResponse:
        """Hide items or set them live again."""
        ids = _ids(request.item_ids)
        changed, unknown = self._store.set_state(ids, state_of(request), now=self._now())
        return catalog_pb2.SetStateResponse(changed=changed, unknown_item_ids=unknown)

    def DeleteItems(self, request: catalog_pb2.DeleteItemsRequest, context: grpc.ServicerContext) -> catalog_pb2.DeleteItemsResponse:
        """Delete items."""
        deleted, unknown = self._store.delete_items(_ids(request.item_ids), now=self._now())
        return catalog_pb2.DeleteItemsResponse(deleted=deleted, unknown_item_ids=unknown)


def _ids(values: Sequence[str]) -> list[str]:
    batch_of(len(values), "item_ids")
    return ids_of(values, "item_ids", BATCH_LIMIT)


def _note(waiting: int) -> str:
    if not waiting:
        return ""
    items = "the text of 1 item waits" if waiting == 1 else f"the texts of {waiting} items wait"
    return f"{items} for `recommender watch` to embed it; until then feeds go by all else, and by what an older version said"
