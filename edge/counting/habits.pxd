cdef double _BRISK_SHARE, _BRISK_LOG, _BRISK_SD, _SLOW_SHARE, _SLOW_LOG, _SLOW_SD, _ODD_SPEED, _FELLOW_SHARE
cdef double _LENGTH_M, _LENGTH_SD_M, _LENGTH_SHARE, _MORE_M, _MORE_SD_M, _MORE_SHARE, _ODD_LENGTH, _CHAIR_SHARE, _LENGTH_M_MIN, _TINY_LENGTH, _DOUBT_LOG, _ALONE_OF
cdef double _FOLLOWED, _ALONE_MIN
cdef double _RECENT_S, _SCALE_SD, _SINGLE_MIN
cdef double _CHAIR_M_MIN, _CHAIR_M_MAX
cdef double _LOW_LENGTH_M, _LOW_SHARE, _UNKNOWN_SEPARATION_M, _LEARN_LEAST
cdef double _SEPARATION_M_MIN, _SEPARATION_M_MAX, _MEMORY, _PRIOR_PEOPLE, _SHARE_MIN, _SHARE_MAX
cdef double _FIRST_LOG, _LOW_LOG, _USUAL_LOG, _PAIR_NOISE, _PAIR_SPREAD, _PAIR_AHEAD
cdef double _HURRY, _USUAL_M_S, _LENGTH_TRUST
cdef int _FIRST, _DOUBTED, _SHARP

cdef Curve _USUAL_LENGTH, _SPEED, _PAIR_LENGTH

cpdef double speed_density(double speed_log) noexcept
cpdef double lag_density(double lag_s, double separation_m) noexcept
@cython.locals(alike=double)
cpdef double fellow_density(double lag_log, double lag_s, double sd, double alone) noexcept
cpdef double pair_length_density(double length_m) noexcept

@cython.locals(left_s=double)
cdef double _room_left(double room_s, double quick, double sd, double mean_s) noexcept
cdef double _share(double share) noexcept

@cython.final
cdef class Habits:
    cdef public double given_m, jitter_s, separation_m, low_log, lag_log, follow, abreast, opposite, wander, arm, wheel
    cdef readonly int clean
    cdef readonly bint blurred
    cdef readonly double people, recent
    cdef double given_log, room_s_min, span_of_m, span_log, brisk_sd, brisk_s, slow_sd, slow_s
    cdef public int64_t recent_ns

    @cython.locals(apart_s=double)
    cdef void came(self, int64_t t_ns) noexcept
    cdef double rate(self) noexcept
    @cython.locals(scale=double, rounded=double, spread=double)
    cdef double _length_sd_m(self, double lag_s) noexcept
    cdef double _chair_density(self, double length_m, double chair_m) noexcept
    cdef double chair_chance(self, double length_m, double lag_s, double chair_m) noexcept
    @cython.locals(torso=double, odd=double)
    cdef double length_density(self, double length_m, double lag_s, double chair_m) noexcept
    @cython.locals(torso=double)
    cdef double shorter(self, double length_m) noexcept
    @cython.locals(others=double)
    cdef double _odds_alone(self, double share, double company) noexcept
    @cython.locals(pair=double)
    cdef double pair_chance(self, double length_m, double lag_s, double company) noexcept
    @cython.locals(ratio_log=double, step=double, pace=double)
    cdef void learn_scale(self, double lag_s, double width_s) noexcept
    cdef double _single(self, double lag_s, double width_s) noexcept
    @cython.locals(length_log=double, speed_log=double, apart=double, trust=double, learned=double)
    cdef double _learned_m(self) noexcept
    @cython.locals(by_length=double, by_speed=double)
    cdef bint _doubted(self) noexcept
    @cython.locals(pace=double, first=double)
    @cython.locals(span_m=double, noise=double, quickest_log=double)
    cdef void _span(self) noexcept
    cdef void learn(self, double weight, double follows, double abreast, double meets, double pair, double met, double wanders, double arm, double wheels) noexcept
    @cython.locals(room_s=double, room_log=double, brisk=double, slow=double, hidden=double)
    cdef double meeting_chance(self, double lag_s, double width_s, double company) noexcept
