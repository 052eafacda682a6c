"""What the modules of the core share: numbers that stand for kinds, sizes of their columns, and a few densities."""

from __future__ import annotations

LINE_MAX = 9
"""Pulses of one line: those that wait, and one that is still open. Pulse k of line l stands at l * LINE_MAX + k."""
FOREVER_S = 1e6
"""When an open pulse falls."""

STRAIGHT, UNSEEN, WANDERER, NOBODY = 1, 2, 3, 4
"""Kinds of bodies. One that is UNSEEN moves straight, but neither its lag nor its width was seen."""
PERSON, PART = 1, 2
"""What a hypothesis makes of a straight body: someone, or what someone has with them. Of others it is their kind."""

KEPT = 8
"""Hypotheses at each edge."""
RECENT0, RECENT1 = 0, 1
"""The places, among them, of who passed last from line 0 to line 1, and of who passed last the other way."""

ROOT, FIRST = 2, 3
"""The place of the hypothesis that nothing is explained yet, and the first of those that grow from it."""
EDGE_DENSITY = 2.718281828459045
"""About what one explained edge more multiplies a density by; scores are per this, so that it is no use to be ahead."""

NONE = -1
"""No place, no line."""
BOTH = 3
"""Edges of one pulse that were seen of a body: 1 its rise, 2 its fall, or both."""
ALL_SEEN = 4
"""So many edges has a body that moves straight."""
RISES, FALLS = 5, 10
"""Edges of a pulse of each line that were seen of a body, added up: 1 rise0, 2 fall0, 4 rise1, 8 fall1."""
LAG_S_MIN = 0.002
"""What moves both beams closer together than this moved across neither."""
SLOWEST_M_S = 0.3
"""Nobody walks more slowly."""
USUAL_M = 0.30
"""The length of a body that was not seen."""
STAGGER_SD_M = 0.25
"""How far apart the middles of two are who walk abreast."""
WANDERER_CONFIDENCE = 0.45
"""Two beams see only where a wanderer came and left."""
HALF = 0.5

PERSON_RATE = 0.05
"""People come so often, per second."""
JITTER_S = 0.002
"""Sensors report an edge so late, give or take."""
MEETING_S = 0.8
"""Who comes the other way is about within so long."""
CHAIR_M, CHAIR_PIECE_M = 0.7, 0.35
"""Wheelchairs are longer, and so are the pieces of one that hold somebody."""
ARM_M_MIN, ARM_M_MAX = 0.02, 0.16
