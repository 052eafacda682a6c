cdef int64_t _DECIDE_NS, _BLOCKED_NS_MAX, _GONE_NS, _SURE_NS_MIN, _LAG_NS_MIN, _LEFT_NS_MAX, _BEYOND_NS, _FINE_NS
cdef int _PULSES_MAX, _HEARD, _BY_BOTH
cdef double _SURE_M, _SURE_CHANGE
cdef double _ROUNDED

@cython.final
cdef class Window:
    cdef readonly Habits habits
    cdef bint clean
    cdef readonly int64_t quiet_ns, margin_ns, deadline_ns, calm_ns, open0_ns, open1_ns, left0_ns, left1_ns, first_ns, tick_ns
    cdef readonly int came, stay, heard, beyond
    cdef readonly int64_t beyond_ns
    cdef Search search
    cdef Groups groups
    cdef readonly Teller teller
    cdef int64_t[18] rises, falls
    cdef int[2] waiting

    cdef void rise(self, int line, int64_t t_ns) noexcept
    @cython.locals(tick_ns=int64_t, rest_ns=int64_t, rounded_s=double)
    cdef void _listen(self, int64_t t_ns) noexcept
    @cython.locals(rise_ns=int64_t, place=int)
    cdef void fall(self, int line, int64_t t_ns) noexcept
    @cython.locals(first=int, number=int)
    cdef int decide(self, int64_t now_ns, Found found) except -1
    cdef bint _stands(self, int64_t now_ns) noexcept
    @cython.locals(since_ns=int64_t)
    cdef int64_t _blocked_ns(self) noexcept
    @cython.locals(first0_ns=int64_t, first1_ns=int64_t)
    cdef void _begin_stay(self) noexcept
    @cython.locals(apart_ns=int64_t, gone=int, through=bint, middle_ns=int64_t)
    cdef int _end_stay(self, Found found, int first) except -1
    @cython.locals(full=bint, everything=bint, search=Search, groups=Groups, scene=Scene, line0=int, near0=bint, near1=bint, taken0=int, taken1=int, index=int, end=int, high0=int, high1=int, opened=bint, group=int, due=bint, stays=bint, last=int)
    cdef bint _settle(self, int64_t now_ns, Found found, int first) except -1
    cdef bint _blocked(self) noexcept
    @cython.locals(scene=Scene)
    cdef int _first_line(self, int pulse0, int pulse1) noexcept
    @cython.locals(line0=int)
    cdef bint _old(self, int low0, int low1, int high0, int high1, int64_t now_ns) noexcept
    @cython.locals(pulse=int, rise_lag=int64_t, fall_lag=int64_t, lags=int64_t, uneven=bint)
    cdef bint _clean(self) noexcept
    cdef bint _tell_clean(self, Found found, int first) except -1
    @cython.locals(start=int, pulse=int)
    cdef void _forget(self, int line, int count) noexcept
    cdef bint _full(self) noexcept
    @cython.locals(clear=bint, last_ns=int64_t, deadline_ns=int64_t, line=int)
    cdef void _schedule(self) noexcept
    @cython.locals(count0=int, count1=int, last0_ns=int64_t, last1_ns=int64_t, wait_ns=int64_t, lags_ns=int64_t, sure_ns=int64_t)
    cdef void _calm(self) noexcept

cdef int64_t _size(int64_t time_ns) noexcept
