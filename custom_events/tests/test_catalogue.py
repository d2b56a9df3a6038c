import pytest

from custom_events.catalogue import CHOICES, EVENT_TYPES, Kind, topic_of


@pytest.mark.parametrize(
    ("event_type", "topic"),
    [
        ("order.filled", "order.events"),
        ("market.trade", "market.data"),
        ("market.data.update", "market.data"),
        ("user.login", "user.actions"),
        ("page.view", "user.actions"),
        ("button.click", "user.actions"),
        ("web.vital", "user.actions"),
        ("position.opened", "trading.events"),
        ("page.other", "trading.events"),
        ("anything", "trading.events"),
    ],
)
def test_the_topic_follows_from_the_type(event_type: str, topic: str) -> None:
    assert topic_of(event_type) == topic


def test_the_catalogue_has_every_type_of_the_platform() -> None:
    assert len(EVENT_TYPES) == 28


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_aliases_lead_to_properties_of_the_type(name: str) -> None:
    event_type = EVENT_TYPES[name]
    properties = {**event_type.required, **event_type.optional}

    assert set(event_type.aliases.values()) <= set(properties)
    assert not set(event_type.aliases) & set(properties)


@pytest.mark.parametrize("name", CHOICES)
def test_what_has_choices_is_text_wherever_it_occurs(name: str) -> None:
    kinds = {
        kinds[name]
        for event_type in EVENT_TYPES.values()
        if name in (kinds := {**event_type.required, **event_type.optional})
    }

    assert kinds == {Kind.TEXT}
