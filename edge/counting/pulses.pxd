cimport cython
from libc.stdint cimport int64_t

cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int64_t _FOREVER_NS

@cython.final
cdef class Beam:
    cdef readonly int64_t debounce_ns, burst_ns, settle_ns, changes
    cdef readonly int level, raw

    cpdef void change(self, int64_t t_ns) noexcept
    cpdef bint settle(self) noexcept
