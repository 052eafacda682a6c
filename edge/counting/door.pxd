cdef int64_t _T_NS_LIMIT

@cython.final
cdef class Door:
    cdef readonly object settings
    cdef readonly Beams beams
    cdef readonly Window window
    cdef readonly Health health
    cdef public int64_t now_ns, wake_ns
    cdef readonly Found found

    cdef int _check(self, object t_ns, object line, object level) except -1
    cdef int _edge(self, int64_t t_ns, int line, int level) except -1
    cdef int _repeated(self, int64_t t_ns, int line) except -1
    @cython.locals(settle_ns=int64_t, decide_ns=int64_t, due_ns=int64_t)
    cdef int _run_until(self, int64_t t_ns) except -1
    @cython.locals(first=int, number=int, inward=bint, persons=int)
    cdef int _decide(self) except -1
    @cython.locals(settle0_ns=int64_t, settle1_ns=int64_t)
    cdef int _first_line(self) noexcept
    cpdef void _noticed(self) except *
    @cython.locals(health=Health, burst_ns=int64_t, changes=int64_t)
    cdef int _settle(self, int line) except -1
    @cython.locals(index=Py_ssize_t, t=int64_t, which=int, value=int)
    cdef int _take(self, const int64_t[::1] t_ns, const signed char[::1] line, const signed char[::1] level) except -1
