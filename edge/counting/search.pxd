cimport cython
from libc.stdint cimport int64_t

from edge.counting.bodies cimport Bodies
from edge.counting.company cimport abreast_density, arm_gap, follow_density, follow_gap_density, odds, piece_gap
from edge.counting.habits cimport Habits, below, fellow_density, normal
from edge.counting.scene cimport Scene

cdef extern from *:
    const char* FOYER_SOURCE_SHA256

cdef int KEPT, PERSON, PART, RECENT0, RECENT1, _ROOT, _FIRST, _PLACES, _NONE
cdef int NOBODY, STRAIGHT, WANDERER, LINE_MAX
cdef double PERSON_RATE, JITTER_S, ARM_M_MAX, FOREVER_S
cdef double _EDGE_WORTH, _LONE_PART, MEETING_S, _COMPANY_M, _CHANCE, _USUAL_MEETING, _RARE, _COVER_SD_S, _NEVER
cdef double _ARM_LAG_SD, _PIECE_LAG_SD, _CHAIR_M, _MORE_PIECES, _LINK_LOG, _FOLLOWER_SD, _COMPANION_SD

cdef class Search:
    cdef readonly Scene scene
    cdef readonly Bodies bodies
    cdef readonly Habits habits
    cdef double separation_m, jitter_s, new_follows, new_abreast, new_meets
    cdef int found_count
    cdef int[::1] found, kept, parent, body, kind, group, groups, inward, outward, edges, loose_parts
    cdef int[::1] near0, near1, has_person, has_wheels
    cdef int64_t[::1] mask
    cdef double[::1] score, lag_s, centre_s, start_s, end_s, length_m, part_m, width_s, width_sd_s
    cdef double[::1] follows, abreast, meets

    @cython.locals(scene=Scene, bodies=Bodies, edge=int, place=int)
    cdef void run(self, Habits habits, int came, bint recent0, bint recent1) except *
    @cython.locals(start=int, number=int, place=int, at=int)
    cdef void _rank_found(self) except *
    @cython.locals(bodies=Bodies, mask=int64_t, body=int, kind=int)
    cdef void _expand(self, int place, int edge, bint stays) except *
    @cython.locals(direction=int, inward=int, outward=int, score=double, place=int)
    cdef void _other(self, int parent, int body, int kind) except *
    @cython.locals(bodies=Bodies, habits=Habits, inwards=bint, near=int, against=int, centre_s=double, width_s=double, lag_s=double, arrival=double, person=double, alone=double, lag=double, company=double, behind=double, beside=double, begins=double)
    cdef void _straight(self, int parent, int body, int kind) except *
    @cython.locals(habits=Habits, rate=double, follows=double, abreast=double, meets=double, speed=double, apart_m=double, met=bint)
    cdef double arrival(self, double centre_s, double width_s, double width_sd_s, double lag_s, int near, int against) except -1
    @cython.locals(rounded=double, spread=double)
    cdef double _spread(self, double sd, double lag_s) except -1
    @cython.locals(bodies=Bodies, habits=Habits, lag_s=double, lag_log=double, speed=double, half_s=double, gap_m=double, arm_link=double, piece_link=double, person=double, joins=double, link=double)
    cdef void _join(self, int parent, int body, int near) except *
    @cython.locals(bodies=Bodies, inwards=bint, inward=int, outward=int, loose=int, width_s=double, score=double, place=int)
    cdef void _add(self, int parent, int body, int kind, double gain, int joins) except *
    @cython.locals(centre_s=double, lag_s=double, length_m=double, wheels=bint, person=bint, start_s=double, end_s=double)
    cdef void _describe(self, int place, int body, int kind, int joins, double width_s) except *
    @cython.locals(bodies=Bodies, scene=Scene, mask=int64_t, worst=double, line=int, at=int, pulse=int, bits=int64_t, wide_s=double, variance=double, place=int, theirs=int, spare_s=double)
    cdef double _cover(self, int parent, int body, double width_s) except? -1
    @cython.locals(edge=int, rank=double, place=int)
    cdef bint _hopeless(self, int parent, int body, double score) except -1
    @cython.locals(edge=int)
    cdef int _earliest(self, int64_t mask) except -1
    @cython.locals(mask=int64_t, edges=int, edge=int, rank=double, start=int, count=int, chosen=int, worst=double, place=int, apart=double)
    cdef int _place(self, int parent, int body, double score, int inward, int outward, int loose) except -2
