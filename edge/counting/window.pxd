cimport cython
from libc.stdint cimport int64_t

from edge.counting.explain cimport Explanation, Step

cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int64_t _FOREVER_NS, _DECIDE_NS, _BLOCKED_NS_MAX, _SURE_NS_MIN
cdef int _PULSES_MAX
cdef double _SURE_COST_MAX, _SURE_WIDTHS

cdef class Window:
    cdef readonly double separation_m
    cdef readonly int64_t quiet_ns, margin_ns, deadline_ns
    cdef readonly list rises, falls, opens
    cdef readonly Explanation clear

    cpdef void rise(self, int line, int64_t t_ns) except *
    @cython.locals(rise_ns=int64_t)
    cpdef void fall(self, int line, int64_t t_ns) except *
    @cython.locals(settled=bint)
    cpdef list decide(self, int64_t now_ns)

    @cython.locals(full=bint, everything=bint, explanation=Explanation, steps=list, due=int, index=int, taken0=int, taken1=int, end=int)
    cdef bint _settle(self, int64_t now_ns, list passages) except -1
    cdef void _forget(self, int line, int count) except *
    cdef bint _full(self) except -1
    cdef Explanation _explain(self, list opens, int64_t now_ns)
    cdef void _schedule(self) except *
    @cython.locals(last_ns=int64_t, wait_ns=int64_t, width_ns=double, step=Step)
    cdef int64_t _quiet_deadline_ns(self, Explanation explanation) except -1
