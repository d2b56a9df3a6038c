"""Figures and how they are printed: the median of several rounds, with the least and the most."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Spread:
    """One figure of several rounds."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        return cls(tuple(values))

    @property
    def median(self) -> float:
        return median(self.values)

    def __format__(self, spec: str) -> str:
        middle = format(self.median, spec)
        if len(self.values) == 1:
            return middle
        return f"{middle} ({format(min(self.values), spec)}-{format(max(self.values), spec)})"


def ratio(part: Spread, whole: Spread) -> Spread:
    """Round by round: what was measured next to each other is compared with each other."""
    return Spread(tuple(a / b for a, b in zip(part.values, whole.values, strict=True)))


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank; `values` need not be sorted."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """As Markdown, so that it can go into the documents as it is."""
    cells = [list(header), *map(list, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    print(f"\n**{title}**\n", flush=True)
    for number, row in enumerate(cells):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
        if number == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    print(flush=True)


def say(text: str) -> None:
    """Progress, which is no result."""
    print(f"... {text}", flush=True)
