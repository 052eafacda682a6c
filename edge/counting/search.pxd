cdef double _COMPANY_M, _CHANCE, _USUAL_MEETING, _RARE, _COVER_SD_S, _NEVER, _SURELY, _NEVER_Z2, _ABREAST_M_MAX
cdef double _FOLLOW_MOST, _ABREAST_MOST, _FELLOW_MOST, _LINK_MOST, _MARGIN
cdef double _ARM_LAG_SD, _PIECE_LAG_SD, _CHAIR_M, _MORE_PIECES, _LINK_LOG, _FOLLOWER_SD, _COMPANION_SD

@cython.final
cdef class Search(Places):
    cdef readonly Scene scene
    cdef readonly Bodies bodies
    cdef readonly Habits habits
    cdef double separation_m, jitter_s, variance, follow_odds, abreast_odds, meet_odds, meet_again_odds
    cdef double new_follows, new_abreast, new_meets

    cdef void begin(self, Habits habits) noexcept
    cdef void run(self, Habits habits, int came, bint recent0, bint recent1) noexcept
    @cython.locals(scene=Scene, bodies=Bodies, body=int, edge=int, place=int)
    cdef void _grow(self, int came, bint recent0, bint recent1) noexcept
    @cython.locals(bodies=Bodies, habits=Habits, lag_s=double, alone=double, person=double, arm=double, wheel=double, speed=double, rate=double, near_rate=double, part=double, linked=double)
    cdef void _bound(self, int body) noexcept
    @cython.locals(bodies=Bodies, mask=int64_t, body=int, kind=int)
    cdef void _expand(self, int place, int edge, bint stays) noexcept
    @cython.locals(direction=int, persons=int64_t, score=double, place=int)
    cdef void _other(self, int parent, int body, int kind) noexcept
    @cython.locals(inwards=bint, near=int, against=int, lag_s=double, score=double, far=bint, joins=bint, comes=bint, lag_log=double, arrival=double, gap_s=double, begins=double)
    cdef void _straight(self, int parent, int body, int kind) noexcept
    @cython.locals(centre_s=double, width_s=double, lag_s=double, arrival=double, person=double, alone=double, lag=double, company=double, behind=double, beside=double)
    cdef double _person(self, int parent, int body, int kind, int near, int against, double lag_log) noexcept
    @cython.locals(rate=double, follows=double, abreast=double, meets=double, speed=double, apart_m=double, met=bint)
    cdef double arrival(self, double centre_s, double width_s, double width_sd_s, double lag_s, int near, int against) noexcept
    @cython.locals(rounded=double, spread=double)
    cdef double _spread(self, double sd, double lag_s) noexcept
    @cython.locals(lag_s=double, speed=double, half_s=double, gap_m=double, announced=bint, arms=bint, piece=double, arm_link=double, piece_link=double, person=double, joins=double, link=double)
    cdef void _join(self, int parent, int body, int near, double lag_log) noexcept
    @cython.locals(inwards=bint, persons=int64_t, loose=int, width_s=double, score=double, place=int)
    cdef void _add(self, int parent, int body, int kind, double gain, int joins) noexcept
    @cython.locals(centre_s=double, lag_s=double, speed_log=double, length_m=double, wheels=bint, person=bint, start_s=double, end_s=double)
    cdef void _describe(self, int place, int body, int kind, int joins, double width_s) noexcept
    @cython.locals(mask=int64_t, worst=double, line=int, at=int, pulse=int, bits=int64_t, wide_s=double, variance=double, place=int, theirs=int, spare_s=double)
    cdef double _cover(self, int parent, int body, double width_s) noexcept
    cdef bint _hopeless(self, double score) noexcept
