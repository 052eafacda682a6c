cdef int _STEPS
cdef double _PER_ROOT_TWO_PI, _PER_ROOT_TWO

@cython.final
cdef class Curve:
    cdef double low, per_step
    cdef double[1025] values

    @cython.locals(place=double, step=int64_t)
    cdef double at(self, double x) noexcept

cdef Curve _BELOW

@cython.locals(z=double, density=double)
cpdef double normal(double x, double mean, double sd) noexcept
cpdef double below(double x, double mean, double sd) noexcept
