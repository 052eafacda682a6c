cdef double _PIECE_M_MIN, _PIECE_M_MAX, _ARM_GAP_M, _ARM_GAP_SD_M

cpdef double odds(double share) noexcept
cpdef double follow_density(double apart_m) noexcept
cpdef double follow_gap_density(double gap_m) noexcept
cpdef double abreast_density(double apart_m) noexcept
cpdef double arm_density(double length_m) noexcept
cpdef double arm_shorter(double length_m) noexcept
cpdef double piece_density(double length_m) noexcept
cpdef double piece_shorter(double length_m) noexcept
cpdef double arm_gap(double gap_m) noexcept
cpdef double piece_gap(double gap_m) noexcept

cdef Curve _FOLLOW, _FOLLOW_GAP, _ABREAST, _PIECE_GAP
