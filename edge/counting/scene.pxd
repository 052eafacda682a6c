cdef int _EDGES_MAX, _EVENLY, _BRISKLY
cdef double _APART, _APART_BRISKLY, _BRISK_M_S

@cython.final
cdef class Scene:
    cdef readonly int line0, edges
    cdef readonly bint alike, even, whole
    cdef readonly int64_t origin_ns
    cdef int[2] count, open
    cdef int[36] edge_pulse
    cdef signed char[36] edge_falls
    cdef signed char[37] bit_of
    cdef double[18] rise_s, fall_s
    cdef int64_t[18] rise_bit, fall_bit

    @cython.locals(line=int, opened_ns=int64_t, order=int, first0_ns=int64_t, first1_ns=int64_t, start=int, door=int, pulse=int)
    cdef void take(self, int64_t* rises, int64_t* falls, int* waiting, int64_t open0_ns, int64_t open1_ns) noexcept
    @cython.locals(pulse=int, other=int)
    cdef int _compare(self, int64_t* rises, int64_t* falls) noexcept
    @cython.locals(at0=int, at1=int, end0=int, end1=int, edge=int, which=int, pulse=int, one=int64_t)
    cdef void _order(self) noexcept
    cdef double _time(self, int which) noexcept
    @cython.locals(count=int, pulse=int, pulse0=int, pulse1=int)
    cdef void weigh(self, double separation_m) noexcept
    @cython.locals(pulse=int, other=int)
    cdef bint second(self, int edge) noexcept
    @cython.locals(rise_lag=double, fall_lag=double, lags=double, apart=double, evenly=int, brisk=bint)
    cdef int like(self, int pulse0, int pulse1, double separation_m) noexcept
    cdef int first(self, int64_t mask) noexcept
    cdef int64_t edges_of(self, int pulse, int seen) noexcept
    cdef int64_t shared(self, int pulse, int seen) noexcept

cdef double middle(double left0_s, double left1_s) noexcept
