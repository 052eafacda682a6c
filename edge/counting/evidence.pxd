from libc.stdint cimport int64_t

cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int64_t ENOUGH, _SEEN_MAX

cdef class Evidence:
    cdef readonly int64_t enough, weight, seen, odd
    cdef readonly bint active

    cpdef int add(self, int64_t amount, int64_t seen, int64_t odd) except -2

cdef class Line:
    cdef public int64_t open_ns, first_ns, last_ns, longest_ns, edges, extra, flicker, blocks, norm
    cdef public int bodies
    cdef public bint blocked
    cdef readonly Evidence dead, misaligned, chatter, losing

    cpdef void begin(self) except *
