cdef int _STEPS
cdef double _LAST, _PER_ROOT_TWO_PI, _PER_ROOT_TWO

@cython.final
cdef class Curve:
    cdef double low, per_step
    cdef float[1026] values

    @cython.locals(place=double, step=int64_t, value=double, following=double)
    cdef double at(self, double x) noexcept

cdef Curve _BELOW, _BELL

cpdef double normal(double x, double mean, double sd) noexcept
cpdef double below(double x, double mean, double sd) noexcept
