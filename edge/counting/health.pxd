cdef int64_t _BLOCKED_NS, _GIVEN_UP_NS, _QUIET_NS_MIN, _BODY_NS_MIN, _BODY_NS_MAX, _COUNTED_NS_MAX, _NIGHT_NS
cdef double _ONE_BEAM_CONFIDENCE, _DAY_SHIFT, _DAY_Z_MAX
cdef int64_t _MISSED, _MET, _DWELT, _LONGER, _NOT_LONGER, _NOT_LONGER_NOW, _LONGER_BY, _ALONE_NS_MAX, _NORM_OF, _NORM_MAX
cdef int64_t _BLOCK, _NORM_BLOCKS, _NOISY, _NOT_NOISY, _CHATTER_MAX, _CHATTER_MIN, _CHATTER_TIMES, _EXTRA_MAX
cdef int64_t _LOST, _NOT_LOST, _NOT_LOST_NOW, _DAY_ENOUGH, _DAY_PEOPLE_MIN, _DAY_PEOPLE_MAX

@cython.final
cdef class Health:
    cdef readonly int64_t quiet_ns, margin_ns, clear_ns, deadline_ns, wider, learned, people_in, people_out, ranks, night_ns
    cdef readonly int out
    cdef readonly Line outer, inner
    cdef readonly Evidence swapped
    cdef readonly list found

    @cython.locals(mine=Line, other=Line)
    cdef int rise(self, int line, int64_t t_ns, int64_t changes) except -1
    @cython.locals(mine=Line, rise_ns=int64_t, long_ns=int64_t)
    cdef int fall(self, int line, int64_t t_ns, int64_t changes) except -1
    @cython.locals(mine=Line)
    cdef void flicker(self, int line, int64_t changes) noexcept
    @cython.locals(mine=Line)
    cdef int lost(self, int line, int64_t t_ns) except -1
    @cython.locals(place=int64_t, _each=int)
    cdef int passed(self, int64_t t_ns, bint inward, int persons) except -1
    cdef list take(self)
    @cython.locals(mine=Line, line=int)
    cpdef void succeed(self, dict before, int64_t now_ns) except *
    @cython.locals(line=int, mine=Line)
    cdef int wake(self, int64_t now_ns) except -1
    cdef void _schedule(self) noexcept
    cdef int _burst(self, int line, Line mine, int64_t t_ns, int64_t changes) except -1
    @cython.locals(mean=int64_t, limit=int64_t, noisy=bint, turn=int)
    cdef int _judge_block(self, int line, Line mine, int64_t t_ns) except -1
    cdef int _losing(self, int line, Line mine, int64_t t_ns, int turn) except -1
    @cython.locals(outer=Line, inner=Line, seen0=int, seen1=int, inward=bint, outward=bint)
    cdef int _judge(self, int64_t t_ns) except -1
    @cython.locals(turn=int, walked=bint, against=int64_t)
    cdef int _judge_dead(self, int line, Line mine, int others, int64_t longest_ns, int64_t t_ns) except -1
    cdef int _tell_dead(self, int line, Line mine, int turn, int64_t t_ns) except -1
    @cython.locals(wider=int64_t, by=int64_t, longer=int64_t, long0=int64_t, long1=int64_t)
    cdef int _judge_aim(self, int64_t t_ns) except -1
    @cython.locals(against=int64_t, odd=bint, turn=int)
    cdef int _aimed(self, int line, Line mine, int64_t more, int64_t t_ns) except -1
    @cython.locals(usual=int64_t)
    cdef int _tell_aim(self, int line, Line mine, int64_t more, int turn, int64_t t_ns) except -1
    @cython.locals(step=int64_t)
    cdef void _learn_wider(self, int64_t wider) noexcept
    @cython.locals(came=int64_t, went=int64_t, people=int64_t, z=double, amount=int64_t, turn=int)
    cdef int _night(self, int64_t t_ns) except -1
