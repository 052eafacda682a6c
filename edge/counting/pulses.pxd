@cython.final
cdef class Beams:
    cdef readonly int64_t debounce_ns
    cdef readonly int64_t[2] burst_ns, settle_ns, changes
    cdef readonly int[2] level, raw

    cpdef void change(self, int line, int64_t t_ns) noexcept
    cpdef bint settle(self, int line) noexcept
