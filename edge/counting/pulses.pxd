@cython.final
cdef class Beam:
    cdef readonly int64_t debounce_ns, burst_ns, settle_ns, changes
    cdef readonly int level, raw

    cpdef void change(self, int64_t t_ns) noexcept
    cpdef bint settle(self) noexcept
