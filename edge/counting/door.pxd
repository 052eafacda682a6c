cimport cython
from libc.stdint cimport int64_t

from edge.counting.found cimport Found
from edge.counting.health cimport Health
from edge.counting.pulses cimport Beam
from edge.counting.window cimport Window


cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int64_t _FOREVER_NS, _T_NS_LIMIT
cdef double nan

cdef class Door:
    cdef readonly object settings
    cdef readonly Beam outer, inner
    cdef readonly Window window
    cdef readonly Health health
    cdef public int64_t now_ns, wake_ns
    cdef readonly Found found

    cdef void _check(self, object t_ns, object line, object level) except *
    @cython.locals(beam=Beam)
    cdef void _edge(self, int64_t t_ns, int line, int level) except *
    @cython.locals(decide_ns=int64_t, due_ns=int64_t, inner=bint)
    cdef void _run_until(self, int64_t t_ns) except *
    @cython.locals(first=int, number=int, inward=bint, persons=int)
    cdef void _decide(self) except *
    cdef bint _inner_first(self) except -1
    cpdef void _noticed(self) except *
    @cython.locals(health=Health)
    cdef void _settle(self, int line, Beam beam) except *
    @cython.locals(index=Py_ssize_t, t=int64_t, which=int, value=int)
    cdef void _take(self, const int64_t[::1] t_ns, const signed char[::1] line, const signed char[::1] level) except *
