cdef int64_t _RECENT_NS

@cython.final
cdef class Recent:
    cdef readonly int64_t centre_ns, start_ns, end_ns
    cdef readonly double lag_s, width_sd_s
    cdef readonly bint has_wheels

    cdef void note(self, Search search, int place, int64_t origin_ns) noexcept
    cdef void note_clean(self, int64_t start_ns, int64_t end_ns, double lag_s) noexcept
    cdef bint show(self, Search search, int place, int64_t origin_ns) noexcept
