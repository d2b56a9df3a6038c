"""The hostile inputs are all there, as bytes and as text."""

from collections import Counter

from tests.datasets.hostile import cloud_events, json_cases, naughty_strings


def test_the_json_suite_is_complete() -> None:
    cases = list(json_cases())

    assert Counter(case.verdict for case in cases) == {"y": 95, "n": 188, "i": 35}
    assert sum(len(case.body) for case in cases) == 354_024


def test_the_naughty_strings_are_complete() -> None:
    strings = naughty_strings()

    assert len(strings) == 309
    assert all(isinstance(string, str) for string in strings)


def test_the_cloud_events_are_complete() -> None:
    assert Counter(event.valid for event in cloud_events()) == {True: 10, False: 25}
