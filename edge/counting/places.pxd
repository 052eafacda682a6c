cdef int _PLACES
cdef int64_t INWARD, OUTWARD
cdef double HOPE, _LONE_PART

cdef class Places:
    cdef int64_t new_mask
    cdef int new_edge
    cdef int last, found_count
    cdef int[8] found
    cdef int[37] kept, least
    cdef int[299] parent, body, kind, group, groups, loose_parts, near0, near1, has_person, has_wheels
    cdef int64_t[299] claim
    cdef double[37] best, bar
    cdef double[299] score, lag_s, speed_log, centre_s, start_s, end_s, length_m, part_m, width_s, width_sd_s, follows, abreast, meets

    cdef int64_t explained(self, int place) noexcept
    cdef int inward(self, int place) noexcept
    cdef int outward(self, int place) noexcept
    @cython.locals(edge=int)
    cdef void clear(self, int edges) noexcept
    @cython.locals(claim=int64_t, edge=int, end=int, chosen=int, place=int, same=int)
    cdef int place(self, int parent, int body, double score, int64_t persons, int loose) noexcept
    @cython.final
    @cython.locals(least=int, place=int)
    cdef void _set_bar(self, int edge) noexcept
    @cython.locals(start=int, number=int, place=int, at=int)
    cdef void rank_found(self) noexcept
