cdef int _GROUPS_MAX

@cython.final
cdef class Groups:
    cdef int count
    cdef int[36] chain, number, kind, person, last, arm, wheels, opened
    cdef int[72] low, high

    @cython.locals(long=int, step=int)
    cdef void unfold(self, Search search, int place) noexcept
    @cython.locals(body=int, number=int, group=int, line=int, kind=int, at=int, theirs=int)
    cdef void _take(self, Search search, int place) noexcept
    @cython.locals(end=int, high0=int, high1=int, apart=bint, group=int)
    cdef int segment_end(self, int first) noexcept
