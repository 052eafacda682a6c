cdef int _ROOM

@cython.final
cdef class Found:
    cdef int count, room
    cdef int64_t[::1] t_ns
    cdef signed char[::1] direction
    cdef int[::1] persons
    cdef double[::1] speed_m_s, length_m, confidence, correction, variance
    cdef list faults

    @cython.locals(at=int)
    cdef int passage(self, int64_t t_ns, int direction, int persons, double speed_m_s, double length_m, double confidence, int first) except -1
    cdef int reserve(self, int room) except -1
    cdef int _make_room(self, int room) except -1
    cdef int fault(self, object fault) except -1
    @cython.locals(at=int, due=int, told=list, faults=list)
    cdef list take(self)
    cdef object columns(self)
