cimport cython
from libc.stdint cimport int64_t

cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int _SPAN_MAX
cdef int64_t _SIMULTANEOUS_NS
cdef double _ORPHAN_COST, _WANDERER_COST, _WANDERER_PULSE_COST, _OPEN_WANDERER_COST, _YOUNG_ORPHAN_COST, _IMPOSSIBLE_COST
cdef double _DISAGREEMENT_SD, _LAG_SD_NS, _SPEED_M_S, _SPEED_LOG_SD, _LENGTH_M, _LENGTH_LOG_SD, _PRIOR_COST_MAX
cdef double _PART_RATIO, _CONFIDENCE_MAX, _CONFIDENCE_COST

cdef class Step:
    cdef readonly int first0, end0, first1, end1, direction
    cdef readonly double cost
    cdef readonly bint matched

cdef class Explanation:
    cdef readonly int line0, open0, open1
    cdef readonly bint alike
    cdef readonly list rise0, fall0, rise1, fall1, steps
    cdef readonly double separation_m
    cdef readonly int64_t gap_ns_max, now_ns

    cdef double _orphan_cost(self, bint is_open, int64_t fall_ns) except -1

    @cython.locals(count0=int, count1=int, width=int, i=int, j=int, target=int, cost=double, best=list, last=list, step=Step)
    cdef list _cover(self)

    @cython.locals(end0=int, end1=int, steps=list)
    cdef list _steps_from(self, int i, int j, int count0, int count1)

    @cython.locals(rise_lag=int64_t, fall_lag=int64_t, gap_ns=int64_t, lags_ns=double, disagreement=double, jitter=double, cost=double, step=Step)
    cdef void _add_match(self, list steps, int i, int j) except *

    @cython.locals(speed=double, length=double)
    cdef double _prior_cost(self, double lag_ns, double width_ns) except -1

    @cython.locals(reach=int64_t, rise=int64_t, fall=int64_t)
    cdef bint _touching(self, int i, int end0, int j, int end1) except -1

    @cython.locals(cost=double, step=Step, came=int64_t, left=int64_t)
    cdef Step _wanderer(self, int i, int end0, int j, int end1)

    cpdef int64_t oldest_fall_ns(self, Step step) except -1
    cpdef bint is_open(self, Step step)
    @cython.locals(i=int, j=int)
    cpdef double width_ns(self, Step step) except -1

    @cython.locals(widest=Step, step=Step, before=Step, end=int, width=double, other=double, close=double, gap0=int64_t, gap1=int64_t)
    cpdef int body_end(self, int index) except -1

    @cython.locals(step=Step, part=int, rise0=int64_t, fall0=int64_t, rise1=int64_t, fall1=int64_t, lag_ns=double)
    cpdef object passage(self, int index, int end)
