cdef int _BODIES_MAX, _STRAIGHTS_MAX

cdef class Candidates:
    cdef int count, straights
    cdef int[36] head
    cdef int[1024] following
    cdef signed char[1024] kind, edge, number, direction, opened
    cdef signed char[2048] low, high
    cdef int64_t[1024] mask, needs
    cdef int64_t[2048] shared
    cdef double[1024] lag_s, speed_log, width_s, width_part_s, width_sd_s, centre_s, person, arm, piece, alone, gain
    cdef float[1024] most, most_far, most_joined
    cdef double[37] worth

    @cython.final
    @cython.locals(body=int, line=int)
    cdef int add(self, int kind, int edge, int64_t mask, int number) noexcept
    @cython.final
    @cython.locals(line=int, at=int, place=int)
    cdef void touch(self, Scene scene, int body, int pulse) noexcept
    @cython.final
    @cython.locals(edge=int, body=int)
    cdef void link(self, int edges) noexcept
    @cython.final
    @cython.locals(edge=int)
    cdef void _put_first(self, int body) noexcept
