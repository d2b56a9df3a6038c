"""All parts of the simulated B25, put together."""

from collections.abc import Iterator, Sequence

from events.simulation.account import Account
from events.simulation.exchange import Exchange
from events.simulation.kernel import Kernel, Simulated
from events.simulation.market import open_markets
from events.simulation.risk import Watch
from events.simulation.strategies import PROFILES, hire
from events.simulation.symbols import DEFAULT_SYMBOLS, symbol_named
from events.simulation.users import receive_visitors


class World:
    """The same seed, start, rate and symbols give the same events, ids included."""

    def __init__(self, *, seed: int, start: int, rate: float, symbols: Sequence[str] = DEFAULT_SYMBOLS) -> None:
        """`start` in microseconds since 1970, `rate` in events per second of the simulated clock."""
        self.kernel = Kernel(seed=seed, start=start, rate=rate)
        markets = open_markets([symbol_named(name) for name in symbols], self.kernel)
        by_name = {market.symbol.name: market for market in markets}
        owners = sorted({profile.owner for profile in PROFILES})
        accounts = {owner: Account(owner, self.kernel, by_name) for owner in owners}
        exchange = Exchange(self.kernel)
        strategies = hire(accounts, markets, self.kernel, exchange)
        Watch(self.kernel, list(accounts.values()), strategies, exchange)
        receive_visitors(self.kernel)

    def events(self) -> Iterator[Simulated]:
        """In order of time, without end."""
        return self.kernel.run()

    def skip(self, microseconds: int) -> None:
        """Let the following events happen so much later, as if nothing had happened in between."""
        self.kernel.skipped += microseconds
