"""How many people are inside: an estimate with its interval, from what imperfect doors count."""

from collector.occupancy.estimate import Estimate, Occupancy, Past
from collector.occupancy.hours import Closed, Hours
from collector.occupancy.learning import Learned
from collector.occupancy.state import Move

__all__ = ["Closed", "Estimate", "Hours", "Learned", "Move", "Occupancy", "Past"]
