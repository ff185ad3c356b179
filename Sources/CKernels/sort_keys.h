// Unsigned integers that order like the elements: NaN last, and -0 equal to 0.
#pragma once
#include "internal.h"

SPK_INLINE uint32_t key_of_float(float value) {
    uint32_t bits = spk_bits_from_float(value);
    if (value != value) { return UINT32_MAX; }
    if (value == 0) { bits = 0; }
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

SPK_INLINE uint64_t key_of_double(double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    if (value != value) { return UINT64_MAX; }
    if (value == 0) { bits = 0; }
    return (bits & 0x8000000000000000u) != 0 ? ~bits : bits | 0x8000000000000000u;
}

SPK_INLINE uint64_t key_at(const char *src, int32_t dtype, int64_t i) {
    switch (dtype) {
    case SPK_BOOL:
    case SPK_UINT8: return ((const uint8_t *)src)[i];
    case SPK_INT8: return (uint32_t)((const int8_t *)src)[i] ^ 0x80000000u;
    case SPK_INT16: return (uint32_t)((const int16_t *)src)[i] ^ 0x80000000u;
    case SPK_INT32: return ((const uint32_t *)src)[i] ^ 0x80000000u;
    case SPK_INT64: return ((const uint64_t *)src)[i] ^ 0x8000000000000000u;
    case SPK_UINT16: return ((const uint16_t *)src)[i];
    case SPK_UINT32: return ((const uint32_t *)src)[i];
    case SPK_UINT64: return ((const uint64_t *)src)[i];
    case SPK_FLOAT16: return key_of_float(spk_half_to_float(((const uint16_t *)src)[i]));
    case SPK_BFLOAT16: return key_of_float(spk_bfloat_to_float(((const uint16_t *)src)[i]));
    case SPK_FLOAT32: return key_of_float(((const float *)src)[i]);
    default: return key_of_double(((const double *)src)[i]);
    }
}
