"""A single event goes past DRF, which still answers for those sent in an unusual way: alike."""

import gzip
import uuid
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from rest_framework.views import APIView

from events.api import views
from events.api.views import EventViewSet
from events.models import Event
from events.tests.api import ago, post

pytestmark = pytest.mark.django_db

ANY_TYPE = "*/*"  # DRF takes it for JSON
KNOWN = b'{"event_type":"a","id":"%s","timestamp":"%s"}' % (str(uuid.uuid4()).encode(), ago(minutes=1).encode())


@pytest.fixture
def _no_drf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(APIView, "initialize_request")


@pytest.mark.usefixtures("_no_drf")
@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
def test_an_event_is_stored_without_drf(client: Client, content_type: str) -> None:
    assert post(client, {"event_type": "a"}, content_type=content_type).status_code == 201
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (KNOWN, {}, 201),
        (gzip.compress(KNOWN), {"Content-Encoding": "gzip"}, 201),
        (KNOWN.replace(b"{", b'{"user_id":"other",'), {}, 409),
        (b"{", {}, 400),
        (b"{}", {"Content-Encoding": "gzip"}, 400),
        (b"{}", {"Content-Encoding": "br"}, 415),
        (b'"' * 200_000, {}, 413),
        (b'"' * 20_000_000, {}, 413),
    ],
)
def test_it_is_answered_as_drf_would(client: Client, body: bytes, headers: dict[str, str], status: int) -> None:
    post(client, KNOWN)

    own, drf = (post(client, body, content_type=kind, headers=headers) for kind in ("application/json", ANY_TYPE))

    assert (own.status_code, own.json()) == (status, drf.json())
    names = ("Content-Type", "Accept-Encoding", "Vary", "X-Frame-Options")
    assert drf.status_code == status
    assert [own.get(name) for name in names] == [drf.get(name) for name in names]


@pytest.mark.parametrize("content_type", ["application/json", ANY_TYPE])
def test_an_outage_is_answered_either_way(client: Client, content_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(body: bytes) -> Any:
        raise OperationalError

    monkeypatch.setattr(views, "store_one", fail)

    response = post(client, {"event_type": "a"}, content_type=content_type)

    assert (response.status_code, response["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("kind", ["authentication_classes", "permission_classes", "throttle_classes"])
def test_what_drf_has_to_permit_goes_through_drf(client: Client, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refuses:
        """Whatever it is asked."""

        def authenticate(self, request: Any) -> None:
            raise PermissionError

        def allow_request(self, request: Any, view: Any) -> bool:
            raise PermissionError

        def has_permission(self, request: Any, view: Any) -> bool:
            raise PermissionError

    monkeypatch.setattr(EventViewSet, kind, [Refuses])

    with pytest.raises(PermissionError):
        post(client, {"event_type": "a"})

    assert not Event.objects.exists()
