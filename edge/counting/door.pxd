cimport cython
from libc.stdint cimport int64_t

from edge.counting.health cimport Health
from edge.counting.pulses cimport Beam
from edge.counting.window cimport Window


cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int64_t _FOREVER_NS

cdef class Door:
    cdef readonly object settings
    cdef readonly Beam outer, inner
    cdef readonly Window window
    cdef readonly Health health
    cdef public int64_t now_ns, wake_ns
    cdef list found

    cdef void _check(self, object t_ns, object line, object level) except *
    @cython.locals(beam=Beam)
    cdef void _edge(self, int64_t t_ns, int line, int level) except *
    @cython.locals(decide_ns=int64_t, due_ns=int64_t)
    cdef void _run_until(self, int64_t t_ns) except *
    cdef void _decide(self) except *
    @cython.locals(health=Health)
    cdef void _settle(self, int line, Beam beam) except *
    cdef list _take(self)
