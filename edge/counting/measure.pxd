cdef int _GRID
cdef int _ALL, _NO_FALL1, _NO_FALL0, _NO_RISE1, _NO_RISE0, _FIRST_AND_LAST, _MIDDLE
cdef double _CHANGE_SD, _ODD_CHANGE, _ODD_SHARE, _SWING_SD, _TINY_FIT, _NOBODY_WALKS, _SPEED_LOG_MIN, _SPEED_LOG_STEP

@cython.final
cdef class Measure:
    cdef double separation_m, jitter_s, chair_m, fit, alone, speed_log, slack_s, lag_s, width_s, centre_s
    cdef double last_lag, last_alone, last_log, other_lag, other_alone, other_log
    cdef bint four
    cdef double[16] speeds, lags_s, of_lags

    @cython.locals(step=int, speed=double, lag=double)
    cdef void begin(self, double separation_m, double jitter_s) noexcept
    @cython.locals(rise_lag=double, fall_lag=double, width0=double, width1=double, possible=bint)
    cdef int take(self, Habits habits, double rise0, double fall0, double rise1, double fall1, int seen) noexcept
    @cython.locals(sd=double)
    cdef double swung(self) noexcept
    cdef bint _walks(self, double lag) noexcept
    @cython.locals(lag=double, change=double, sd=double, even=double)
    cdef bint _all(self, double rise_lag, double fall_lag, double width0, double width1, double from_s) noexcept
    @cython.locals(sd=double)
    cdef bint _three(self, double lag, double width, double room, double from_s) noexcept
    @cython.locals(middle=double)
    cdef bint _bounded(self, double lag, double width_max, double from_s, double sign) noexcept
    @cython.locals(sum_density=double, best=double, shortest=double, longest=double, step=int, likeliest=int, speed=double, lag=double, width=double, density=double)
    cdef int _unseen(self, Habits habits, double total, double sign, double lag_min, double width_max, double centre) noexcept
