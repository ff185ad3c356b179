// The kernels for processors with AVX2 and FMA.
#include "internal.h"

#if defined(__x86_64__)
#pragma clang attribute push(                                                                                          \
    __attribute__((target("avx2,fma,f16c,bmi,bmi2,lzcnt,popcnt"))),                                                    \
    apply_to = function)
#define SPK_LEVEL SPK_LEVEL_AVX2
#define SPK_LEVEL_NUMBER 1
#define SPK_TABLE spk_table_avx2
#include "kernels.inc.h"
#pragma clang attribute pop
#endif
