cimport cython
from libc.stdint cimport int64_t

cdef extern from *:
    const char* FOYER_SOURCE_SHA256


cdef double _EDGE_WORTH, _ARM_M, _SIMULTANEOUS_S, _HALF_BODY_S
cdef int64_t _RECENT_NS

cdef class Body:
    cdef public int kind, direction, group, low0, high0, low1, high1
    cdef public bint has_person, has_wheels, opened
    cdef public double lag_s, width_s, width_sd_s, length_m, part_m, centre_s, middle_s, start_s, end_s, follows, abreast, meets
    cdef public Body before

    cpdef void touch(self, int line, int pulse)

cdef class Hypothesis:
    cdef public double score, rank
    cdef public int64_t mask
    cdef public int edges, inward, outward, loose_parts, groups
    cdef public Body last, group0, group1

    @cython.locals(new=Hypothesis)
    cpdef Hypothesis grown(self, Body body, double gain, int64_t mask, int edges)

cdef class Pulses:
    cdef readonly bint alike
    cdef readonly int line0
    cdef readonly int64_t origin_ns
    cdef readonly list rises, falls, opens

cdef class Stay:
    cdef readonly int first, count
    cdef readonly bint clearly
    cdef readonly int64_t mask
    cdef readonly double first_s, second_s, last_s, entered_s, longest_s
    cdef readonly list left_s, rises_s, times
    cdef readonly Body touched

    cpdef void take(self, int line, int pulse, double rise_s, double fall_s, int64_t bits) except *
    @cython.locals(body=Body, later_s=double)
    cpdef Body body(self, Hypothesis hypothesis)

cdef class Recent:
    cdef public int64_t centre_ns, start_ns, end_ns
    cdef public double lag_s, width_sd_s
    cdef public bint has_wheels

    cpdef void note(self, Body body, int64_t origin_ns) except *
    @cython.locals(body=Body)
    cpdef Body body(self, int direction, int64_t origin_ns)

cdef class Group:
    cdef readonly int kind, low0, high0, low1, high1
    cdef readonly bint arm, wheels, opened
    cdef readonly Body person, last

    cpdef void take(self, Body body) except *

@cython.locals(body=Body, group=Group, found=dict, bodies=list)
cpdef list groups_of(Hypothesis hypothesis)
@cython.locals(end=int, high0=int, high1=int)
cpdef int segment_end(list groups, int index) except -1
