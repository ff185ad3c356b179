// The kernels for processors with AVX-512 (F, VL, BW, DQ, CD).
#include "internal.h"

#if defined(__x86_64__)
#pragma clang attribute push(                                                                                          \
    __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512cd,avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt"))),        \
    apply_to = function)
#define SPK_LEVEL SPK_LEVEL_AVX512
#define SPK_LEVEL_NUMBER 2
#define SPK_TABLE spk_table_avx512
#include "kernels.inc.h"
#pragma clang attribute pop
#endif
