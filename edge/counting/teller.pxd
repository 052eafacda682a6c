cdef double _WIDTH_NS_MIN, _LIKELY, _NOTABLE, _TIE, _SHORT_M, _LONG_M, _SLOW_M_S, _FAST_M_S
cdef double _CONFIDENCE_MAX, _CARRY_MAX, _PASSING_S, _WAITING_S, _OFTEN_MET, _MET_M_S

@cython.final
cdef class Teller:
    cdef readonly bint measured
    cdef readonly double separation_m, carry_in, carry_out, told_in, told_out, variance_in, variance_out
    cdef readonly Habits habits
    cdef Search search
    cdef Groups groups
    cdef Recent recent_in, recent_out
    cdef int chosen
    cdef double sure
    cdef double[8] weights

    @cython.locals(search=Search, weights=cython.p_double, best=int, total=double, mean0=double, mean1=double, square0=double, square1=double, likely=int, place=int, inward=int, outward=int, weight=double, want0=double, want1=double, least=double, number=int, miss0=double, miss1=double, tie=bint, group=int, sure=double, same=bint)
    cdef void choose(self, bint everything) noexcept
    cdef void _vary(self, double variance0, double variance1) noexcept
    cdef void _carry(self, double carry0, double carry1) noexcept
    @cython.locals(search=Search, groups=Groups, place=int, body=int, direction=int, inward=bint, t_ns=int64_t, sure=double, speed_m_s=double, length_m=double, persons=int, recent=Recent, lag_s=double, width_s=double, length=double, alone=bint, met=double)
    cdef void tell(self, int group, bint everything, Found found, int first) except *
    @cython.locals(scene=Scene, groups=Groups, high0=int, high1=int, from_s=double, until_s=double, behind_s=double, hidden=double, t_ns=int64_t)
    cdef void _shadow(self, int group, Found found, int first) except *
    @cython.locals(carry_in=double, carry_out=double)
    cdef void _bound(self) noexcept
    @cython.locals(same=double, other=double, persons=int)
    cdef int _unseen(self, bint inward, double pair, double met, int64_t t_ns, Found found, int first) except -1
    cdef void doubt(self, Found found, int number) noexcept
    @cython.locals(search=Search, groups=Groups, place=int, wheels=double, company=double, lag_s=double, pair=double, met=double)
    cdef void _learn(self, int group, double weight) noexcept
    @cython.locals(lag_ns=double, width_ns=double, habits=Habits, search=Search, speed=double, length_m=double, inward=bint, recent=Recent, against=Recent, near_shown=bint, met_shown=bint, centre_ns=int64_t, half_ns=int64_t, follows=double, abreast=double, meets=double, company=double, pair=double, met=double, t_ns=int64_t, persons=int, speed_m_s=double, measured_m=double, sure=double)
    cdef bint tell_clean(self, int64_t rise0, int64_t rise1, int64_t fall0, int64_t fall1, Found found, int first) except -1

cdef double _bounded(double carry) noexcept
