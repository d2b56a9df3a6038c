"""An engine on its own, until nothing is marked any more: what a child of the maintenance worker does."""

import time

import django

django.setup()

from metrics.rollups import engine  # noqa: E402


def main() -> None:
    while not engine.roll_up(seconds=20).finished:
        time.sleep(0.1)


if __name__ == "__main__":
    main()
