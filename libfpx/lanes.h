/* lanes.h - the vectors of the instruction set that a file is compiled for. */
#ifndef FPX_LANES_H
#define FPX_LANES_H

#if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "lanes_avx512.h"
#else
#include "lanes_avx2.h"
#endif

#endif /* FPX_LANES_H */
