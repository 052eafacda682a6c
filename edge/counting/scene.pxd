cimport cython
from libc.stdint cimport int64_t

cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int LINE_MAX, _EDGES_MAX
cdef double FOREVER_S

cdef class Scene:
    cdef readonly int line0, edges
    cdef readonly bint alike
    cdef readonly int64_t origin_ns
    cdef int[::1] count, open, edge_pulse
    cdef signed char[::1] edge_falls
    cdef double[::1] rise_s, fall_s
    cdef int64_t[::1] rise_bit, fall_bit

    @cython.locals(line=int, opened_ns=int64_t, order=int, first0_ns=int64_t, first1_ns=int64_t, start=int, door=int, pulse=int)
    cdef void take(self, int64_t[::1] rises, int64_t[::1] falls, int[::1] waiting, int64_t open0_ns, int64_t open1_ns) except *
    @cython.locals(pulse=int, other=int)
    cdef int _compare(self, int64_t[::1] rises, int64_t[::1] falls) except -2
    @cython.locals(at0=int, at1=int, end0=int, end1=int, edge=int, which=int, pulse=int, one=int64_t)
    cdef void _order(self) except *
    cdef double _time(self, int which) except? -1
