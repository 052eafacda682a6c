cdef int _EDGES_MAX

@cython.final
cdef class Scene:
    cdef readonly int line0, edges
    cdef readonly bint alike
    cdef readonly int64_t origin_ns
    cdef int[2] count, open
    cdef int[36] edge_pulse
    cdef signed char[36] edge_falls
    cdef double[18] rise_s, fall_s
    cdef int64_t[18] rise_bit, fall_bit

    @cython.locals(line=int, opened_ns=int64_t, order=int, first0_ns=int64_t, first1_ns=int64_t, start=int, door=int, pulse=int)
    cdef void take(self, int64_t* rises, int64_t* falls, int* waiting, int64_t open0_ns, int64_t open1_ns) noexcept
    @cython.locals(pulse=int, other=int)
    cdef int _compare(self, int64_t* rises, int64_t* falls) noexcept
    @cython.locals(at0=int, at1=int, end0=int, end1=int, edge=int, which=int, pulse=int, one=int64_t)
    cdef void _order(self) noexcept
    cdef double _time(self, int which) noexcept
