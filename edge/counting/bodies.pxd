cdef double _TINY_GAIN, _IMPOSSIBLE, _CERTAIN
cdef double _JOINED, _PIECES_JOINED, _USUAL_PART_M, _WIDTH_SD_M
cdef double _NOBODY_RATE, _GLITCH_S, _LOG_RANGE, _SHORTEST_S, _LAG_S_MAX, _WALKS, _SHUFFLE_S, _SWAY_S, _SWAYS, _TURN_LOG, _TURN_SD, _LONE_EDGE, _OPEN_PULSE, _BODY_S, _HALF_BODY_S

@cython.locals(long_s=double)
cdef double _nobody_density(Scene scene, int pulse) noexcept

@cython.final
cdef class Bodies(Candidates):
    cdef double separation_m, reach_s, chair_m
    cdef bint plain
    cdef int64_t sure
    cdef Measure measure
    cdef double[36] stay_s, stay_density

    @cython.locals(lone=bint, edge=int)
    cdef void fill(self, Scene scene, Habits habits, int came, bint thorough) noexcept
    @cython.locals(pulse0=int, pulse1=int, other=int)
    cdef void _pairs(self, Scene scene, Habits habits) noexcept
    @cython.locals(pulse=int, falls=bint, rise_bit=int64_t, fall_bit=int64_t, body=int, surely=bint)
    cdef void _nobody(self, Scene scene, int edge) noexcept
    @cython.locals(first=int, clearly=bint, count=int, times=int, number=int, mask=int64_t, low0=int, low1=int, high0=int, high1=int, opened=int, first_s=double, second_s=double, last_s=double, left0_s=double, left1_s=double, risen0_s=double, risen1_s=double, entered_s=double, longest_s=double, came_s=double, came_gain=double, swayed=double, index=int, pulse=int, line=int, rise_s=double, fall_s=double, at=int, gain=double, left_s=double, left_other_s=double, risen_s=double, gone_s=double, body=int)
    cdef void _wanderers(self, Scene scene, Habits habits, int edge, int came) noexcept
    @cython.locals(at=int, index=int, apart_s=double)
    cdef int _note(self, int times, double t_s) noexcept
    @cython.locals(density=double, index=int)
    cdef double _dwelt(self, int times) noexcept
    @cython.locals(longest_s=double, index=int)
    cdef double _as_turned(self, int times) noexcept
    @cython.locals(gain=double, speed=double, walks=double, slow=double, length=double)
    cdef double _as_walked(self, Habits habits, double lag_s, double width_s) noexcept
    @cython.locals(way=int, direction=int, first=int, second=int, seen0=int, seen1=int, never=int, three=bint)
    cdef void _pair(self, Scene scene, Habits habits, int pulse0, int pulse1) noexcept
    @cython.locals(measure=Measure, kind=int, mask=int64_t, number=int, speed=double, bounded=bint, most=double, person=double, arm=double, piece=double, alone=double, length_m=double, fit=double, worth=double, body=int, way=int)
    cdef void _straight(self, Scene scene, Habits habits, int first, int second, int seen0, int seen1, int direction) noexcept
    @cython.locals(at=int, nobody=double)
    cdef void _certain(self, Scene scene, int first, int second, double density) noexcept
