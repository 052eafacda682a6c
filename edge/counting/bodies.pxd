cdef int _BODIES_MAX
cdef double _TINY_GAIN, _IMPOSSIBLE
cdef double _JOINED, _PIECES_JOINED, _USUAL_PART_M, _WIDTH_SD_M
cdef double _NOBODY_RATE, _GLITCH_S, _LOG_RANGE, _SHORTEST_S, _LAG_S_MAX, _WALKS, _SHUFFLE_S, _SWAY_S, _SWAYS, _TURN_LOG, _TURN_SD, _LONE_EDGE, _OPEN_PULSE, _BODY_S, _HALF_BODY_S

@cython.final
cdef class Bodies:
    cdef int count
    cdef double separation_m, reach_s, chair_m
    cdef Measure measure
    cdef int[36] head
    cdef int[1024] following
    cdef signed char[1024] kind, number, direction, opened
    cdef signed char[2048] low, high
    cdef int64_t[1024] mask, needs
    cdef int64_t[2048] shared
    cdef double[1024] lag_s, speed_log, width_s, width_part_s, width_sd_s, centre_s, person, arm, piece, alone, gain
    cdef float[1024] most, most_far, most_joined
    cdef double[36] stay_s, stay_density
    cdef double[37] worth

    @cython.locals(lone=bint, edge=int, pulse0=int, pulse1=int, other=int)
    cdef void fill(self, Scene scene, Habits habits, int came) noexcept
    @cython.locals(body=int, line=int)
    cdef int _add(self, int kind, int edge, int64_t mask, int number) noexcept
    @cython.locals(line=int, at=int, place=int)
    cdef void _touch(self, Scene scene, int body, int pulse) noexcept
    @cython.locals(pulse=int, rise_bit=int64_t, fall_bit=int64_t, body=int, long_s=double, density=double)
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
    @cython.locals(measure=Measure, kind=int, mask=int64_t, number=int, edge=int, rest=int64_t, speed=double, bounded=bint, person=double, arm=double, piece=double, alone=double, length_m=double, fit=double, worth=double, body=int, way=int)
    cdef void _straight(self, Scene scene, Habits habits, int first, int second, int seen0, int seen1, int direction) noexcept
