cimport cython
from libc.stdint cimport int64_t

from edge.counting.bodies cimport Measure
from edge.counting.company cimport arm_density, arm_gap, arm_shorter, arrive, piece_density, piece_gap, piece_shorter
from edge.counting.habits cimport Habits, below, fellow_density, lag_density, normal
from edge.counting.hypotheses cimport Body, Hypothesis, Pulses, Stay

cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int _KEPT, NOBODY, PART, PERSON, WANDERER, WIDTH_BOUNDED, WIDTH_SEEN, WIDTH_UNSEEN
cdef double FOREVER_S, ARM_M_MAX
cdef double _PERSON_RATE, _NOBODY_RATE, _GLITCH_S, _LOG_RANGE, _SHORTEST_S, _LAG_S_MAX, _LONE_EDGE, _LONE_PART, _OPEN_PULSE
cdef double _SLOWEST_M_S, _BODY_S, _USUAL_M, _USUAL_PART_M, _WIDTH_SD_M, _COVER_SD_S, _NEVER
cdef double _ARM_LAG_SD, _PIECE_LAG_SD, _CHAIR_M, _MORE_PIECES

cdef class Search:
    cdef readonly Pulses pulses
    cdef readonly Habits habits
    cdef readonly Measure measure
    cdef readonly int came
    cdef readonly double reach_s
    cdef readonly list edge_line, edge_pulse, edge_fall, rise_bit, fall_bit, found, waiting

    @cython.locals(mask=int64_t, edge=int)
    cdef void _keep(self, Hypothesis hypothesis) except *
    @cython.locals(new=Hypothesis, old=Hypothesis, kept=list)
    cdef list _best(self, list waiting)
    @cython.locals(line=int, pulse=int, fall_bit=int64_t, fall_free=bint)
    cdef void _expand(self, Hypothesis hypothesis, int edge) except *
    @cython.locals(line=int, pulse=int, body=Body, cost=double, long_s=double, density=double, mask=int64_t)
    cdef void _nobody(self, Hypothesis hypothesis, int edge, bint fall_free) except *
    @cython.locals(stay=Stay, last=int, left_s=double, gain=double, index=int, line=int, pulse=int, rise_s=double, fall_s=double, bits=int64_t, body=Body, grown=Hypothesis)
    cdef void _wander(self, Hypothesis hypothesis, int edge, int came) except *
    @cython.locals(gain=double, speed=double)
    cdef double _as_walked(self, double lag_s, double width_s) except? -1
    @cython.locals(other=int, rises=list, falls=list, rise_s=double, fall_s=double, mask=int64_t, facing=int, rise_bit=int64_t, fall_bit=int64_t, rise_free=bint, fall_free=bint, theirs=int, bits=int64_t, first=int, possible=bint, rise=double, fall=double)
    cdef void _bodies(self, Hypothesis hypothesis, int line, int pulse, int own) except *
    @cython.locals(near=Body, against=Body, measure=Measure, lag_s=double, separation=double, speed=double, edges=int, rest=int64_t, body=Body, arrival=double, person=double, arm=double, piece=double, alone=double, company=double, lag=double, begins=double)
    cdef void _classes(self, Hypothesis hypothesis, int first, int line, int pulse, int facing, int64_t mask) except *
    @cython.locals(line=int, pulse=int, facing=int, person=double, arm=double, piece=double, measure=Measure, first=int, body=Body, joined=Body, speed=double, half_s=double, gap_m=double, lag_log=double, arm_link=double, piece_link=double, joins=double, link=double)
    cdef void _join(self, Hypothesis hypothesis, Body near, tuple place, tuple densities, int64_t mask, int edges) except *
    @cython.locals(measure=Measure, body=Body, speed=double)
    cdef Body _body(self, int kind, int first, int line, int pulse, int facing, Hypothesis hypothesis)
    @cython.locals(grown=Hypothesis)
    cdef void _add_person(self, Hypothesis hypothesis, Body body, double gain, int64_t mask, int edges, Body parts) except *
    @cython.locals(worst=double, line=int, pulse=int, bits=int64_t, wide_s=double, variance=double, part=Body, low=int, high=int, short_s=double)
    cdef void _cover(self, Hypothesis grown, Body body, int64_t mask) except *
    @cython.locals(grown=Hypothesis)
    cdef void _add_part(self, Hypothesis hypothesis, Body body, double density, int64_t mask, int edges, Body near) except *

cpdef double _rank(Hypothesis hypothesis) except? -1
@cython.locals(total=double, index=int)
cdef double _wander_density(list times) except? -1
