cdef int64_t _SEEN_MAX

@cython.final
cdef class Evidence:
    cdef readonly int64_t enough, weight, seen, odd
    cdef readonly bint active

    cdef int add(self, int64_t amount, int64_t seen, int64_t odd) noexcept

@cython.final
cdef class Line:
    cdef public int64_t open_ns, first_ns, last_ns, longest_ns, edges, extra, flicker, blocks, norm
    cdef public int bodies
    cdef public bint blocked
    cdef readonly Evidence dead, misaligned, chatter, losing

    cdef void begin(self) noexcept
