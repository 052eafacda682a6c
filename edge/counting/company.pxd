cimport cython

from edge.counting.habits cimport Habits, below, normal
from edge.counting.hypotheses cimport Body

cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef double _PERSON_RATE, _MEETING_S, _COMPANY_M, _CHANCE, _STAGGER_SD_M, _PIECE_M_MIN, _PIECE_M_MAX
cdef int PART
cdef double _ARM_GAP_M, _ARM_GAP_SD_M, _RARE

@cython.locals(rate=double, follows=double, abreast=double, meets=double, speed=double, apart_m=double)
cpdef double arrive(Body body, Body near, Body against, Habits habits) except -1
cdef double _odds(double share) except -1
cdef double _follow_density(double apart_m) except -1
cdef double _follow_gap_density(double gap_m) except -1
cpdef double arm_density(double length_m) except -1
cpdef double arm_shorter(double length_m) except -1
cpdef double piece_density(double length_m) except -1
cpdef double piece_shorter(double length_m) except -1
cpdef double arm_gap(double gap_m) except -1
@cython.locals(within=double, between=double)
cpdef double piece_gap(double gap_m) except -1
