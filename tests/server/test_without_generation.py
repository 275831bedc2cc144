"""A server that has no generation yet: feeds wait, everything else works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from recommender.client import Client, Unavailable
from recommender.errors import InvalidInput, SchemaMismatch
from recommender.v1 import feed_pb2, feed_pb2_grpc, types_pb2

if TYPE_CHECKING:
    from tests.server.conftest import Serve, World

FRONT = {"recommender.v1.FeedService", "recommender.v1.EventService"}
ADMIN = {f"recommender.v1.{name}Service" for name in ("Catalog", "Generation", "Retention", "Decision")}
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def health(address: str, service: str = "") -> int:
    with grpc.insecure_channel(address) as channel:
        status: int = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=20).status
        return status


def reflected(address: str) -> set[str]:
    with grpc.insecure_channel(address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        requests = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        [answer] = list(stub.ServerReflectionInfo(requests, timeout=20))
        return {service.name for service in answer.list_services_response.service}


def test_feeds_are_unavailable_and_say_what_to_do(serve: Serve) -> None:
    ann = types_pb2.Subject(user_id="ann")
    with grpc.insecure_channel(serve().server.addresses.listen) as channel:
        stub = feed_pb2_grpc.FeedServiceStub(channel)
        for call, request in (
            (stub.GetFeed, feed_pb2.GetFeedRequest(subject=ann)),
            (stub.GetFeed, feed_pb2.GetFeedRequest(subject=ann, consent=types_pb2.Consent())),
            (stub.GetSimilar, feed_pb2.GetSimilarRequest(item_ids=["comedy-00"])),
            (stub.GetPopular, feed_pb2.GetPopularRequest()),
            (stub.Rank, feed_pb2.RankRequest(subject=ann, item_ids=["comedy-00"])),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                call(request, timeout=20)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert "run `recommender reindex`" in caught.value.details()


def test_a_bad_request_is_still_told_what_is_wrong_with_it(serve: Serve) -> None:
    with pytest.raises(Exception, match="page_size: given 101"):
        serve().client.get_feed(user="ann", page_size=101)


def test_events_and_items_are_taken_all_the_same(serve: Serve, world: World) -> None:
    deployment = serve()

    assert deployment.act("comedy-00", user="ann") == "taken"
    assert deployment.client.get_items(["comedy-00"]).items[0].item.title == "Comedy 0"
    with world.open() as store:
        assert store.counts().events == 1


def test_health_tells_what_serves_and_what_waits_for_a_generation(serve: Serve, world: World) -> None:
    deployment = serve()
    front, admin = deployment.server.addresses.listen, deployment.server.addresses.admin_listen

    assert [health(front, name) for name in ("", "recommender.v1.FeedService")] == [NOT_SERVING, NOT_SERVING]
    assert [health(front, "recommender.v1.EventService"), health(admin), *(health(admin, name) for name in ADMIN)] == [SERVING] * (
        2 + len(ADMIN)
    )
    with pytest.raises(Unavailable, match="NOT_SERVING"):
        deployment.client.wait_until_serving(0.2)

    world.publish()
    deployment.client.wait_until_serving(20)

    assert [health(front, name) for name in ("", *FRONT)] == [SERVING] * 3


def test_each_listener_shows_its_own_services_and_no_others(serve: Serve) -> None:
    addresses = serve().server.addresses

    assert {name for name in reflected(addresses.listen) if name.startswith("recommender")} == FRONT
    assert {name for name in reflected(addresses.admin_listen) if name.startswith("recommender")} == ADMIN
    with Client(addresses.admin_listen) as wrong, pytest.raises(Exception, match="not found"):
        wrong.get_feed(user="ann")


@pytest.mark.parametrize("setting", ["listen", "admin_listen", "metrics_listen"])
def test_an_address_in_use_is_a_clear_error_and_not_shared(serve: Serve, setting: str) -> None:
    taken = getattr(serve().server.addresses, setting)

    with pytest.raises(InvalidInput, match=f"setting {setting}: given '{taken}', allowed: .* free"):
        serve(**{setting: taken})


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:", "127.0.0.1:99999", ":50051", "::1:50051", "127.0.0.1:-1"])
def test_an_address_that_is_none_is_refused_by_its_setting(serve: Serve, address: str) -> None:
    with pytest.raises(InvalidInput, match=r"setting listen: given .* host:port"):
        serve(listen=address)


def test_a_server_makes_its_store_where_there_is_none(serve: Serve, tmp_path: object) -> None:
    deployment = serve(data=f"{tmp_path}/elsewhere")

    assert deployment.act("comedy-00", user="ann").startswith("events[0].item_id: given 'comedy-00'")


def test_a_store_of_another_schema_is_refused_and_not_upgraded(serve: Serve, world: World) -> None:
    import sqlite3

    connection = sqlite3.connect(world.data / "store.sqlite")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(SchemaMismatch, match="9999"):
        serve()
