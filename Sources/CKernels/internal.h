// What the kernel sources share among themselves: lane types, the table of one instruction set's kernels, addresses of
// operands. Not part of the interface.
#pragma once
#include "CKernels.h"
#include "special_functions.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Vectors of 64 and 128 bytes are passed between inlined functions only.
#pragma clang diagnostic ignored "-Wpsabi"

#define SPK_INLINE static inline __attribute__((always_inline))
#define SPK_MIN(a, b) ((a) < (b) ? (a) : (b))
#define SPK_MAX(a, b) ((a) > (b) ? (a) : (b))

// Sixteen logical lanes at every instruction set: AVX2 runs them as two vectors, the portable level as four.
typedef float f32x16 __attribute__((ext_vector_type(16)));
typedef int32_t i32x16 __attribute__((ext_vector_type(16)));
typedef uint32_t u32x16 __attribute__((ext_vector_type(16)));
typedef double f64x16 __attribute__((ext_vector_type(16)));
typedef int64_t i64x16 __attribute__((ext_vector_type(16)));
typedef uint64_t u64x16 __attribute__((ext_vector_type(16)));

/// The kernels of one instruction set.
typedef struct {
    spk_level level;
    spk_kernel fused, gemm, matmul_plain, conv, window, window_gather, window_scatter, reduce, cumulative, copy;
} spk_table;

extern const spk_table spk_table_portable;
#if defined(__x86_64__)
extern const spk_table spk_table_avx2;
extern const spk_table spk_table_avx512;
#endif

/// Bytes per element, by spk_dtype.
static const uint8_t spk_element_size[13] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};
/// The lane that holds an element in a register, by spk_dtype.
static const uint8_t spk_element_lane[13] = {
    SPK_LANE_I32, SPK_LANE_I32, SPK_LANE_I32, SPK_LANE_I32, SPK_LANE_I64, SPK_LANE_U32, SPK_LANE_U32,
    SPK_LANE_U32, SPK_LANE_U64, SPK_LANE_F32, SPK_LANE_F32, SPK_LANE_F32, SPK_LANE_F64,
};

SPK_INLINE char *spk_address(void *const *slots, int32_t slot, int64_t offset, int32_t dtype) {
    return (char *)slots[slot] + offset * spk_element_size[dtype];
}

/// Declares `name`, a frame on the stack with room for `count` operands.
#define SPK_CODE_FRAME(name, count)                                                                                    \
    _Alignas(16) char name##_memory[sizeof(spk_code_frame) + (size_t)(count) * sizeof(struct spk_code_operand)];       \
    spk_code_frame *name = (spk_code_frame *)(void *)name##_memory

/// Runs a group's machine code, which there must be.
void spk_run_code(const spk_fused *plan, void *const *slots, spk_pool *pool);

SPK_INLINE int64_t spk_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Scalar conversions of the 16-bit floats, with integer arithmetic so that no instruction set rounds differently.

SPK_INLINE float spk_float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

SPK_INLINE uint32_t spk_bits_from_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

SPK_INLINE float spk_half_to_float(uint16_t half) {
    uint32_t magnitude = half & 0x7FFFu, sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t normal = (magnitude << 13) + 0x38000000u;
    uint32_t special = normal + 0x38000000u; // infinities and NaN: exponent 255
    // Subnormal: put the mantissa under 2^-14 and take 2^-14 away again, exactly.
    uint32_t subnormal = spk_bits_from_float(
        spk_float_from_bits((magnitude << 13) + 0x38800000u) - spk_float_from_bits(0x38800000u));
    uint32_t bits = magnitude >= 0x7C00u ? special : (magnitude < 0x400u ? subnormal : normal);
    return spk_float_from_bits(bits | sign);
}

SPK_INLINE uint16_t spk_float_to_half(float value) {
    uint32_t bits = spk_bits_from_float(value), magnitude = bits & 0x7FFFFFFFu, sign = (bits >> 16) & 0x8000u;
    uint32_t normal = (magnitude + 0xFFFu + ((magnitude >> 13) & 1u) - 0x38000000u) >> 13;
    // Subnormal: the last bit of 0.5 is the last bit of a subnormal half, so the addition rounds.
    uint32_t subnormal = spk_bits_from_float(spk_float_from_bits(magnitude) + 0.5f) - 0x3F000000u;
    uint32_t finite = magnitude < 0x38800000u ? subnormal : normal;
    uint32_t large = magnitude > 0x7F800000u ? 0x7E00u : 0x7C00u;
    return (uint16_t)(sign | (magnitude >= 0x47800000u ? large : finite));
}

SPK_INLINE float spk_bfloat_to_float(uint16_t bits) { return spk_float_from_bits((uint32_t)bits << 16); }

SPK_INLINE uint16_t spk_float_to_bfloat(float value) {
    uint32_t bits = spk_bits_from_float(value);
    uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
    return (uint16_t)((bits & 0x7FFFFFFFu) > 0x7F800000u ? ((bits >> 16) | 0x40u) : rounded);
}

// MARK: Scratch

enum {
    SPK_BLOCK = 512,                // elements that the block interpreter holds in a register
    SPK_MAX_REGISTERS = 64,
    SPK_SPLAT_BYTES = 128,          // sixteen elements of any lane
    SPK_PACKED_DEPTH = 256,         // of matrix panels
    SPK_PACKED_COLUMNS = 256,
    SPK_PACKED_ROWS = 112,
    SPK_PRODUCT_TILE = 32768,       // elements of a product that wait for their epilogue, with padding
    SPK_PRODUCT_PADDING = 8192,
    SPK_REDUCE_PARTIALS = 8192,     // partial results that threads may leave to the caller
};

/// What kernels work in. One per thread that ever ran one, on the heap: as thread-local storage it would shrink the
/// stack of every thread of the process.
typedef struct {
    _Alignas(64) char splats[SPK_MAX_REGISTERS][SPK_SPLAT_BYTES];
    // Registers and raw elements have room behind them for stores of whole vectors.
    _Alignas(64) char registers[SPK_MAX_REGISTERS * (SPK_BLOCK * 8 + 128)];
    _Alignas(64) char raw[SPK_BLOCK * 8 + 128];
    _Alignas(64) float packed_b[SPK_PACKED_DEPTH * SPK_PACKED_COLUMNS];
    _Alignas(64) float packed_a[SPK_PACKED_ROWS * (SPK_PACKED_DEPTH + 16)];
    _Alignas(64) float product[SPK_PRODUCT_TILE + SPK_PRODUCT_PADDING];
    _Alignas(64) char reduce_partials[SPK_REDUCE_PARTIALS * 8];
} spk_scratch;

extern _Thread_local spk_scratch *spk_own_scratch;
/// Makes this thread's scratch, to be freed when the thread ends.
spk_scratch *spk_make_scratch(void);

SPK_INLINE spk_scratch *spk_get_scratch(void) {
    spk_scratch *scratch = spk_own_scratch;
    return __builtin_expect(scratch != NULL, 1) ? scratch : spk_make_scratch();
}
