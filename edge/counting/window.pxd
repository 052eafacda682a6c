cimport cython
from libc.stdint cimport int64_t

from edge.counting.company cimport arrive
from edge.counting.explain cimport Search
from edge.counting.habits cimport Habits, Traits
from edge.counting.hypotheses cimport Body, Group, Hypothesis, Pulses, Recent, groups_of, segment_end

cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int64_t _FOREVER_NS, _DECIDE_NS, _BLOCKED_NS_MAX, _SURE_NS_MIN, _WIDTH_NS_MIN, _LAG_NS_MIN
cdef int _PULSES_MAX, PERSON, WANDERER
cdef double _SURE_WIDTHS, _SURE_CHANGE, _LIKELY, _LIKELY_LOG, _SHORT_M, _LONG_M, _SLOW_M_S, _FAST_M_S, _CHAIR_M, _CONFIDENCE_MAX, _WANDERER_CONFIDENCE
cdef double _CARRY_MAX, _WHEELS_S

cdef class Window:
    cdef readonly bint measured
    cdef readonly double separation_m, carry_in, carry_out
    cdef readonly Habits habits
    cdef readonly int64_t quiet_ns, margin_ns, deadline_ns
    cdef readonly list rises, falls, opens, recent
    cdef readonly int came

    cpdef void rise(self, int line, int64_t t_ns) except *
    @cython.locals(rise_ns=int64_t)
    cpdef void fall(self, int line, int64_t t_ns) except *
    @cython.locals(settled=bint)
    cpdef list decide(self, int64_t now_ns)
    cdef bint _old(self, int line0, int low0, int low1, int high0, int high1, int64_t now_ns) except -1
    cdef void _learn(self, Group group, double weight) except *
    @cython.locals(index=int, rise_lag=int64_t, fall_lag=int64_t, lags=int64_t, uneven=bint)
    cdef bint _clean(self) except -1
    @cython.locals(rise0=int64_t, rise1=int64_t, fall0=int64_t, fall1=int64_t, lag_ns=double, width_ns=double, habits=Habits, speed=double, length_m=double, pair=double, inward=bint, carry=double, persons=int, body=Body, near=Body, way=int, traits=Traits)
    cdef bint _tell_clean(self, list passages) except -1
    cdef void _forget(self, int line, int count) except *
    cdef bint _full(self) except -1
    cdef void _schedule(self) except *
    @cython.locals(last_ns=int64_t, wait_ns=int64_t, width_ns=double)
    cdef int64_t _quiet_deadline_ns(self) except? -1
