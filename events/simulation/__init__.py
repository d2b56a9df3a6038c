"""A believable B25: markets, strategies, orders, accounts and users, the same for the same seed."""

from events.simulation.kernel import Simulated
from events.simulation.world import World

__all__ = ["Simulated", "World"]
