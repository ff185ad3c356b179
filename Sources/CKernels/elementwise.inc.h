// The operations of the block interpreter on whole blocks: one function per operation and lane, found in a table.
// Included once per instruction set, after vector_math.inc.h.

/// One operation on one block. A source with mask 0 is a splat: its first sixteen elements stand for all. Blocks have
/// room for a multiple of sixteen elements; what stands behind `count` is never looked at.
typedef struct {
    void *dst, *dst2;
    const void *src[4];
    int64_t mask[4]; // -1, or 0 for a splat
    int64_t count;
    bool all_splat; // every source is a splat, and so is the result: count is 16
    const spk_instruction *instruction;
} block_call;

typedef void (*block_function)(const block_call *);

#define LOAD16(V, source, index)                                                                                       \
    ({                                                                                                                 \
        V loaded;                                                                                                      \
        __builtin_memcpy(&loaded, (source) + (index), sizeof(V));                                                      \
        loaded;                                                                                                        \
    })
#define STORE16(V, target, index, value)                                                                               \
    do {                                                                                                               \
        V stored = (value);                                                                                            \
        __builtin_memcpy((target) + (index), &stored, sizeof(V));                                                      \
    } while (0)

// Vector operations. T, V: element and vector of the operands; TD, VD: of the result. Narrowing results are written
// from the front and widening ones from the back, so that dst may be the same register as a source.
#define UNARY_WIDE(NAME, T, V, TD, VD, EXPRESSION)                                                                     \
    static void NAME(const block_call *call) {                                                                         \
        const T *pa = call->src[0];                                                                                    \
        TD *d = call->dst;                                                                                             \
        int64_t n = call->count;                                                                                       \
        if (sizeof(TD) > sizeof(T)) {                                                                                  \
            for (int64_t i = ((n + 15) & -16) - 16; i >= 0; i -= 16) {                                                 \
                V a = LOAD16(V, pa, i);                                                                                \
                STORE16(VD, d, i, (EXPRESSION));                                                                       \
            }                                                                                                          \
        } else {                                                                                                       \
            for (int64_t i = 0; i < n; i += 16) {                                                                      \
                V a = LOAD16(V, pa, i);                                                                                \
                STORE16(VD, d, i, (EXPRESSION));                                                                       \
            }                                                                                                          \
        }                                                                                                              \
    }
#define UNARY(NAME, T, V, EXPRESSION) UNARY_WIDE(NAME, T, V, T, V, EXPRESSION)
#define BINARY_WIDE(NAME, T, V, TD, VD, EXPRESSION)                                                                    \
    static void NAME(const block_call *call) {                                                                         \
        const T *pa = call->src[0], *pb = call->src[1];                                                                \
        const int64_t ma = call->mask[0], mb = call->mask[1];                                                          \
        TD *d = call->dst;                                                                                             \
        int64_t n = call->count;                                                                                       \
        for (int64_t i = 0; i < n; i += 16) {                                                                          \
            V a = LOAD16(V, pa, i & ma), b = LOAD16(V, pb, i & mb);                                                    \
            STORE16(VD, d, i, (EXPRESSION));                                                                           \
        }                                                                                                              \
    }
#define BINARY(NAME, T, V, EXPRESSION) BINARY_WIDE(NAME, T, V, T, V, EXPRESSION)
#define TERNARY(NAME, T, V, EXPRESSION)                                                                                \
    static void NAME(const block_call *call) {                                                                         \
        const T *pa = call->src[0], *pb = call->src[1], *pc = call->src[2];                                            \
        const int64_t ma = call->mask[0], mb = call->mask[1], mc = call->mask[2];                                      \
        T *d = call->dst;                                                                                              \
        int64_t n = call->count;                                                                                       \
        for (int64_t i = 0; i < n; i += 16) {                                                                          \
            V a = LOAD16(V, pa, i & ma), b = LOAD16(V, pb, i & mb), c = LOAD16(V, pc, i & mc);                         \
            STORE16(V, d, i, (EXPRESSION));                                                                            \
        }                                                                                                              \
    }
// a is a condition of 32 bits; dst may be its register, so 64-bit results are written from the back.
#define SELECT(NAME, T, V, M)                                                                                          \
    static void NAME(const block_call *call) {                                                                         \
        const int32_t *pa = call->src[0];                                                                              \
        const T *pb = call->src[1], *pc = call->src[2];                                                                \
        const int64_t ma = call->mask[0], mb = call->mask[1], mc = call->mask[2];                                      \
        T *d = call->dst;                                                                                              \
        for (int64_t i = ((call->count + 15) & -16) - 16; i >= 0; i -= 16) {                                           \
            i32x16 a = LOAD16(i32x16, pa, i & ma);                                                                     \
            V b = LOAD16(V, pb, i & mb), c = LOAD16(V, pc, i & mc);                                                    \
            STORE16(V, d, i, __builtin_convertvector(a != 0, M) ? b : c);                                              \
        }                                                                                                              \
    }

// One element at a time: rare operations. Of a splat only the first element is computed.
#define EACH_BEGIN(T)                                                                                                  \
    T *d = call->dst;                                                                                                  \
    int64_t n = call->all_splat ? 1 : call->count;                                                                     \
    for (int64_t i = 0; i < n; i++) {
#define EACH_END                                                                                                       \
    }                                                                                                                  \
    if (call->all_splat) {                                                                                             \
        for (int64_t i = 1; i < 16; i++) { d[i] = d[0]; }                                                              \
    }
#define UNARY_EACH(NAME, T, EXPRESSION)                                                                                \
    static void NAME(const block_call *call) {                                                                         \
        EACH_BEGIN(T)                                                                                                  \
        T a = ((const T *)call->src[0])[i];                                                                            \
        d[i] = (EXPRESSION);                                                                                           \
        EACH_END                                                                                                       \
    }
#define BINARY_EACH(NAME, T, EXPRESSION)                                                                               \
    static void NAME(const block_call *call) {                                                                         \
        EACH_BEGIN(T)                                                                                                  \
        T a = ((const T *)call->src[0])[i & call->mask[0]], b = ((const T *)call->src[1])[i & call->mask[1]];          \
        d[i] = (EXPRESSION);                                                                                           \
        EACH_END                                                                                                       \
    }

// MARK: Operations that all lanes have

#define FOR_ALL_LANES(X)                                                                                               \
    X(f32, float, f32x16, i32x16)                                                                                      \
    X(f64, double, f64x16, i64x16)                                                                                     \
    X(i32, int32_t, i32x16, i32x16)                                                                                    \
    X(u32, uint32_t, u32x16, i32x16)                                                                                   \
    X(i64, int64_t, i64x16, i64x16)                                                                                    \
    X(u64, uint64_t, u64x16, i64x16)
#define COMMON(L, T, V, M)                                                                                             \
    UNARY(op_copy_##L, T, V, a)                                                                                        \
    SELECT(op_select_##L, T, V, M)                                                                                     \
    BINARY_WIDE(op_eq_##L, T, V, int32_t, i32x16, __builtin_convertvector(a == b, i32x16) & 1)                         \
    BINARY_WIDE(op_ne_##L, T, V, int32_t, i32x16, __builtin_convertvector(a != b, i32x16) & 1)                         \
    BINARY_WIDE(op_lt_##L, T, V, int32_t, i32x16, __builtin_convertvector(a < b, i32x16) & 1)                          \
    BINARY_WIDE(op_le_##L, T, V, int32_t, i32x16, __builtin_convertvector(a <= b, i32x16) & 1)                         \
    BINARY_WIDE(op_gt_##L, T, V, int32_t, i32x16, __builtin_convertvector(a > b, i32x16) & 1)                          \
    BINARY_WIDE(op_ge_##L, T, V, int32_t, i32x16, __builtin_convertvector(a >= b, i32x16) & 1)
FOR_ALL_LANES(COMMON)

// MARK: Floats

#define FLOATS(L, T, V, M)                                                                                             \
    BINARY(op_add_##L, T, V, a + b)                                                                                    \
    BINARY(op_sub_##L, T, V, a - b)                                                                                    \
    BINARY(op_mul_##L, T, V, a * b)                                                                                    \
    BINARY(op_div_##L, T, V, a / b)                                                                                    \
    UNARY(op_neg_##L, T, V, -a)                                                                                        \
    UNARY(op_abs_##L, T, V, __builtin_elementwise_abs(a))                                                              \
    UNARY(op_sign_##L, T, V, ((a > 0) ? (V)(1) : ((a < 0) ? (V)(-1) : a)))                                             \
    BINARY(op_max_##L, T, V, (((a > b) | (a != a)) != 0 ? a : b))                                                      \
    BINARY(op_min_##L, T, V, (((a < b) | (a != a)) != 0 ? a : b))                                                      \
    TERNARY(op_fma_##L, T, V, __builtin_elementwise_fma(a, b, c))                                                      \
    UNARY(op_floor_##L, T, V, __builtin_elementwise_floor(a))                                                          \
    UNARY(op_ceil_##L, T, V, __builtin_elementwise_ceil(a))                                                            \
    UNARY(op_round_even_##L, T, V, __builtin_elementwise_roundeven(a))                                                 \
    UNARY(op_round_away_##L, T, V, __builtin_elementwise_round(a))                                                     \
    UNARY(op_sqrt_##L, T, V, __builtin_elementwise_sqrt(a))                                                            \
    UNARY(op_rsqrt_##L, T, V, (V)(1) / __builtin_elementwise_sqrt(a))                                                  \
    UNARY_WIDE(                                                                                                        \
        op_is_finite_##L, T, V, int32_t, i32x16, __builtin_convertvector(a - a == (V)(0), i32x16) & 1)                 \
    static void op_integer_pow_##L(const block_call *call) {                                                           \
        const T *pa = call->src[0];                                                                                    \
        T *d = call->dst;                                                                                              \
        for (int64_t i = 0; i < call->count; i += 16) {                                                                \
            V power = LOAD16(V, pa, i), result = (V)(1);                                                               \
            for (int64_t rest = call->instruction->imm_i; rest > 0; rest >>= 1) {                                      \
                if (rest & 1) { result = result * power; }                                                             \
                if (rest > 1) { power = power * power; }                                                               \
            }                                                                                                          \
            STORE16(V, d, i, result);                                                                                  \
        }                                                                                                              \
    }
FLOATS(f32, float, f32x16, i32x16)
FLOATS(f64, double, f64x16, i64x16)

UNARY(op_exp_f32, float, f32x16, vm_exp(a))
UNARY(op_exp2_f32, float, f32x16, vm_exp2(a))
UNARY(op_expm1_f32, float, f32x16, vm_expm1(a))
UNARY(op_log_f32, float, f32x16, vm_log(a))
UNARY(op_log1p_f32, float, f32x16, vm_log1p(a))
UNARY(op_tanh_f32, float, f32x16, vm_tanh(a))
UNARY(op_logistic_f32, float, f32x16, vm_logistic(a))
UNARY(op_erf_f32, float, f32x16, vm_erf(a))
UNARY(op_erf_inv_f32, float, f32x16, vm_erf_inv(a))
BINARY(op_pow_f32, float, f32x16, vm_pow(a, b))

// Beyond 2^29, and at infinity and NaN, the C library reduces the argument, in double precision.
#define SINE_OR_COSINE(NAME, QUARTERS, REFERENCE)                                                                      \
    static void NAME(const block_call *call) {                                                                         \
        const float *pa = call->src[0];                                                                                \
        float *d = call->dst;                                                                                          \
        for (int64_t i = 0; i < call->count; i += 16) {                                                                \
            f32x16 a = LOAD16(f32x16, pa, i);                                                                          \
            i32x16 small = vm_abs(a) < 0x1p29f;                                                                        \
            f32x16 result = vm_sine(small ? a : F(0.0f), QUARTERS);                                                    \
            if (__builtin_reduce_and(small) == 0) {                                                                    \
                for (int l = 0; l < 16; l++) {                                                                         \
                    if (small[l] == 0) { result[l] = (float)REFERENCE((double)a[l]); }                                 \
                }                                                                                                      \
            }                                                                                                          \
            STORE16(f32x16, d, i, result);                                                                             \
        }                                                                                                              \
    }
SINE_OR_COSINE(op_sin_f32, 0, sin)
SINE_OR_COSINE(op_cos_f32, 1, cos)

// In double precision and rounded once: the result does not depend on the C library's float functions.
#define VIA_DOUBLE(NAME, FUNCTION)                                                                                     \
    UNARY_EACH(op_##NAME##_f32, float, (float)FUNCTION((double)a))                                                     \
    UNARY_EACH(op_##NAME##_f64, double, FUNCTION(a))
VIA_DOUBLE(cbrt, cbrt)
VIA_DOUBLE(tan, tan)
VIA_DOUBLE(asin, asin)
VIA_DOUBLE(acos, acos)
VIA_DOUBLE(atan, atan)
VIA_DOUBLE(sinh, sinh)
VIA_DOUBLE(cosh, cosh)
VIA_DOUBLE(asinh, asinh)
VIA_DOUBLE(acosh, acosh)
VIA_DOUBLE(atanh, atanh)
VIA_DOUBLE(erfc, erfc)
VIA_DOUBLE(lgamma, spk_lgamma)
VIA_DOUBLE(digamma, spk_digamma)
UNARY_EACH(op_bessel_i0e_f32, float, (float)spk_bessel_ie(0, (double)a))
UNARY_EACH(op_bessel_i0e_f64, double, spk_bessel_ie(0, a))
UNARY_EACH(op_bessel_i1e_f32, float, (float)spk_bessel_ie(1, (double)a))
UNARY_EACH(op_bessel_i1e_f64, double, spk_bessel_ie(1, a))
VIA_DOUBLE(ndtri, spk_ndtri)
VIA_DOUBLE(log_ndtr, spk_log_ndtr)
BINARY_EACH(op_zeta_f32, float, (float)spk_zeta((double)a, (double)b))
BINARY_EACH(op_zeta_f64, double, spk_zeta(a, b))
UNARY_EACH(op_exp_f64, double, exp(a))
UNARY_EACH(op_exp2_f64, double, exp2(a))
UNARY_EACH(op_expm1_f64, double, expm1(a))
UNARY_EACH(op_log_f64, double, log(a))
UNARY_EACH(op_log1p_f64, double, log1p(a))
UNARY_EACH(op_sin_f64, double, sin(a))
UNARY_EACH(op_cos_f64, double, cos(a))
UNARY_EACH(op_tanh_f64, double, tanh(a))
UNARY_EACH(op_logistic_f64, double, 1.0 / (1.0 + exp(-a)))
UNARY_EACH(op_erf_f64, double, erf(a))
UNARY_EACH(op_erf_inv_f64, double, spk_erf_inv(a))
BINARY_EACH(op_atan2_f32, float, (float)atan2((double)a, (double)b))
BINARY_EACH(op_atan2_f64, double, atan2(a, b))
BINARY_EACH(op_pow_f64, double, pow(a, b))
BINARY_EACH(op_rem_f32, float, fmodf(a, b))
BINARY_EACH(op_rem_f64, double, fmod(a, b))
BINARY_EACH(op_nextafter_f32, float, nextafterf(a, b))
BINARY_EACH(op_nextafter_f64, double, nextafter(a, b))

SPK_INLINE f32x16 round_to_half(f32x16 a) {
    u32x16 bits = (u32x16)a, magnitude = bits & 0x7FFFFFFFu;
    // Normal halves: round the lower 13 bits away, to even; subnormal ones: at 0.5 the last bit is 2^-24.
    u32x16 normal = (magnitude + 0xFFFu + ((magnitude >> 13) & 1u)) & ~0x1FFFu;
    normal = magnitude >= 0x477FF000u ? (u32x16)(0x7F800000u) : normal;
    f32x16 subnormal = ((f32x16)magnitude + 0.5f) - 0.5f;
    u32x16 result = magnitude < 0x38800000u ? (u32x16)subnormal : normal;
    result = magnitude > 0x7F800000u ? (u32x16)(0x7FC00000u) : result;
    return (f32x16)(result | (bits & 0x80000000u));
}

SPK_INLINE f32x16 round_to_bfloat(f32x16 a) {
    u32x16 bits = (u32x16)a;
    u32x16 rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) & 0xFFFF0000u;
    return (f32x16)((bits & 0x7FFFFFFFu) > 0x7F800000u ? (bits & 0xFFFF0000u) | 0x400000u : rounded);
}
UNARY(op_round_f16, float, f32x16, round_to_half(a))
UNARY(op_round_bf16, float, f32x16, round_to_bfloat(a))

// MARK: Integers

// Arithmetic wraps, so additions and the like run on unsigned lanes for both kinds.
#define WRAPPING(L, T, V, WIDTH)                                                                                       \
    BINARY(op_add_##L, T, V, a + b)                                                                                    \
    BINARY(op_sub_##L, T, V, a - b)                                                                                    \
    BINARY(op_mul_##L, T, V, a *b)                                                                                     \
    UNARY(op_neg_##L, T, V, (V)(0) - a)                                                                                \
    BINARY(op_and_##L, T, V, a &b)                                                                                     \
    BINARY(op_or_##L, T, V, a | b)                                                                                     \
    BINARY(op_xor_##L, T, V, a ^ b)                                                                                    \
    UNARY(op_not_##L, T, V, ~a)                                                                                        \
    BINARY(op_shl_##L, T, V, b < WIDTH ? a << (b & (WIDTH - 1)) : (V)(0))                                              \
    BINARY(op_shr_logical_##L, T, V, b < WIDTH ? a >> (b & (WIDTH - 1)) : (V)(0))                                      \
    UNARY(op_popcount_##L, T, V, __builtin_elementwise_popcount(a))                                                    \
    static void op_integer_pow_##L(const block_call *call) {                                                           \
        const T *pa = call->src[0];                                                                                    \
        T *d = call->dst;                                                                                              \
        for (int64_t i = 0; i < call->count; i += 16) {                                                                \
            V power = LOAD16(V, pa, i), result = (V)(1);                                                               \
            for (int64_t rest = call->instruction->imm_i; rest > 0; rest >>= 1) {                                      \
                if (rest & 1) { result = result * power; }                                                             \
                power = power * power;                                                                                 \
            }                                                                                                          \
            STORE16(V, d, i, result);                                                                                  \
        }                                                                                                              \
    }
WRAPPING(u32, uint32_t, u32x16, 32)
WRAPPING(u64, uint64_t, u64x16, 64)
BINARY(op_shr_i32, int32_t, i32x16, a >> ((u32x16)b < 32 ? b : (i32x16)(31)))
BINARY(op_shr_i64, int64_t, i64x16, a >> ((u64x16)b < 64 ? b : (i64x16)(63)))
UNARY(op_logical_not_i32, int32_t, i32x16, (a == 0) & 1)
UNARY(op_logical_not_i64, int64_t, i64x16, (a == 0) & 1)
UNARY_EACH(op_clz_u32, uint32_t, a == 0 ? 32 : (uint32_t)__builtin_clz(a))
UNARY_EACH(op_clz_u64, uint64_t, a == 0 ? 64 : (uint64_t)__builtin_clzll(a))

#define ORDERED(L, T, V)                                                                                               \
    BINARY(op_max_##L, T, V, a > b ? a : b)                                                                            \
    BINARY(op_min_##L, T, V, a < b ? a : b)
ORDERED(i32, int32_t, i32x16)
ORDERED(u32, uint32_t, u32x16)
ORDERED(i64, int64_t, i64x16)
ORDERED(u64, uint64_t, u64x16)
UNARY(op_abs_i32, int32_t, i32x16, (i32x16)(a < 0 ? (u32x16)(0) - (u32x16)a : (u32x16)a))
UNARY(op_abs_i64, int64_t, i64x16, (i64x16)(a < 0 ? (u64x16)(0) - (u64x16)a : (u64x16)a))
UNARY(op_sign_i32, int32_t, i32x16, (a < 0) - (a > 0))
UNARY(op_sign_i64, int64_t, i64x16, (a < 0) - (a > 0))
UNARY(op_sign_u32, uint32_t, u32x16, (u32x16)(a != 0) & 1)
UNARY(op_sign_u64, uint64_t, u64x16, (u64x16)(a != 0) & 1)
BINARY_EACH(op_div_i32, int32_t, b == 0 ? -1 : (b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b))
BINARY_EACH(op_div_i64, int64_t, b == 0 ? -1 : (b == -1 ? (int64_t)(0ull - (uint64_t)a) : a / b))
BINARY_EACH(op_div_u32, uint32_t, b == 0 ? UINT32_MAX : a / b)
BINARY_EACH(op_div_u64, uint64_t, b == 0 ? UINT64_MAX : a / b)
BINARY_EACH(op_rem_i32, int32_t, b == 0 ? a : (b == -1 ? 0 : a % b))
BINARY_EACH(op_rem_i64, int64_t, b == 0 ? a : (b == -1 ? 0 : a % b))
BINARY_EACH(op_rem_u32, uint32_t, b == 0 ? a : a % b)
BINARY_EACH(op_rem_u64, uint64_t, b == 0 ? a : a % b)

/// base^exponent modulo 2^64, which holds the result modulo every smaller power of two.
static uint64_t wrapping_power(uint64_t base, uint64_t exponent) {
    uint64_t result = 1;
    for (; exponent > 0; exponent >>= 1, base *= base) {
        if ((exponent & 1) != 0) { result *= base; }
    }
    return result;
}
static uint64_t signed_power(int64_t base, int64_t exponent) {
    if (exponent >= 0) { return wrapping_power((uint64_t)base, (uint64_t)exponent); }
    return base == 1 ? 1 : base == -1 ? ((exponent & 1) != 0 ? UINT64_MAX : 1) : 0;
}
BINARY_EACH(op_pow_i32, int32_t, (int32_t)signed_power(a, b))
BINARY_EACH(op_pow_i64, int64_t, (int64_t)signed_power(a, b))
BINARY_EACH(op_pow_u32, uint32_t, (uint32_t)wrapping_power(a, b))
BINARY_EACH(op_pow_u64, uint64_t, wrapping_power(a, b))

/// A register's value as its storage type would keep it.
static void op_wrap(const block_call *call) {
    const int32_t *pa = call->src[0];
    int32_t *d = call->dst;
    int64_t storage = call->instruction->imm_i;
    for (int64_t i = 0; i < call->count; i += 16) {
        i32x16 a = LOAD16(i32x16, pa, i);
        switch (storage) {
        case SPK_BOOL: a = (a != 0) & 1; break;
        case SPK_INT8: a = a << 24 >> 24; break;
        case SPK_INT16: a = a << 16 >> 16; break;
        case SPK_UINT8: a = a & 0xFF; break;
        case SPK_UINT16: a = a & 0xFFFF; break;
        default: break;
        }
        STORE16(i32x16, d, i, a);
    }
}

static void op_threefry(const block_call *call) {
    const uint32_t *p0 = call->src[0], *p1 = call->src[1], *p2 = call->src[2], *p3 = call->src[3];
    uint32_t *d = call->dst, *d2 = call->dst2;
#define ROUND(r)                                                                                                       \
    x += y;                                                                                                            \
    y = (y << r | y >> (32 - r)) ^ x;
    for (int64_t i = 0; i < call->count; i += 16) {
        u32x16 k0 = LOAD16(u32x16, p0, i & call->mask[0]), k1 = LOAD16(u32x16, p1, i & call->mask[1]);
        u32x16 x = LOAD16(u32x16, p2, i & call->mask[2]), y = LOAD16(u32x16, p3, i & call->mask[3]);
        u32x16 k2 = k0 ^ k1 ^ 0x1BD11BDAu;
        x += k0;
        y += k1;
        ROUND(13) ROUND(15) ROUND(26) ROUND(6)
        x += k1;
        y += k2 + 1u;
        ROUND(17) ROUND(29) ROUND(16) ROUND(24)
        x += k2;
        y += k0 + 2u;
        ROUND(13) ROUND(15) ROUND(26) ROUND(6)
        x += k0;
        y += k1 + 3u;
        ROUND(17) ROUND(29) ROUND(16) ROUND(24)
        x += k1;
        y += k2 + 4u;
        ROUND(13) ROUND(15) ROUND(26) ROUND(6)
        x += k2;
        y += k0 + 5u;
        STORE16(u32x16, d, i, x);
        STORE16(u32x16, d2, i, y);
    }
#undef ROUND
}

// MARK: Conversions between lanes

#define CONVERT(FROM, TO, T, V, TD, VD)                                                                                \
    UNARY_WIDE(convert_##FROM##_##TO, T, V, TD, VD, __builtin_convertvector(a, VD))
// float -> integer: truncated; out of range saturates; NaN is 0. LIMIT is the first value beyond the largest one.
#define SATURATE(FROM, TO, T, V, TD, VD, M, LOWEST, HIGHEST, FLOOR, LIMIT)                                             \
    SPK_INLINE VD saturate_##FROM##_##TO(V a) {                                                                        \
        VD low = (VD)__builtin_convertvector(a < (V)(FLOOR), M);                                                       \
        VD high = (VD)__builtin_convertvector(a >= (V)(LIMIT), M);                                                     \
        V inside = ((a >= (V)(FLOOR)) & (a < (V)(LIMIT))) != 0 ? a : (V)(0);                                           \
        VD result = __builtin_convertvector(inside, VD);                                                               \
        return (result & ~low & ~high) | (low & (VD)(LOWEST)) | (high & (VD)(HIGHEST));                                \
    }                                                                                                                  \
    UNARY_WIDE(convert_##FROM##_##TO, T, V, TD, VD, saturate_##FROM##_##TO(a))

CONVERT(f32, f64, float, f32x16, double, f64x16)
CONVERT(f64, f32, double, f64x16, float, f32x16)
CONVERT(i32, f32, int32_t, i32x16, float, f32x16)
CONVERT(u32, f32, uint32_t, u32x16, float, f32x16)
CONVERT(i64, f32, int64_t, i64x16, float, f32x16)
CONVERT(u64, f32, uint64_t, u64x16, float, f32x16)
CONVERT(i32, f64, int32_t, i32x16, double, f64x16)
CONVERT(u32, f64, uint32_t, u32x16, double, f64x16)
CONVERT(i64, f64, int64_t, i64x16, double, f64x16)
CONVERT(u64, f64, uint64_t, u64x16, double, f64x16)
CONVERT(i32, i64, int32_t, i32x16, int64_t, i64x16)
CONVERT(u32, i64, uint32_t, u32x16, int64_t, i64x16)
CONVERT(i64, i32, int64_t, i64x16, int32_t, i32x16)
SATURATE(f32, i32, float, f32x16, int32_t, i32x16, i32x16, INT32_MIN, INT32_MAX, -0x1p31f, 0x1p31f)
SATURATE(f32, u32, float, f32x16, uint32_t, u32x16, i32x16, 0u, UINT32_MAX, 0.0f, 0x1p32f)
SATURATE(f32, i64, float, f32x16, int64_t, i64x16, i64x16, INT64_MIN, INT64_MAX, -0x1p63f, 0x1p63f)
SATURATE(f32, u64, float, f32x16, uint64_t, u64x16, i64x16, 0ull, UINT64_MAX, 0.0f, 0x1p64f)
SATURATE(f64, i32, double, f64x16, int32_t, i32x16, i32x16, INT32_MIN, INT32_MAX, -0x1p31, 0x1p31)
SATURATE(f64, u32, double, f64x16, uint32_t, u32x16, i32x16, 0u, UINT32_MAX, 0.0, 0x1p32)
SATURATE(f64, i64, double, f64x16, int64_t, i64x16, i64x16, INT64_MIN, INT64_MAX, -0x1p63, 0x1p63)
SATURATE(f64, u64, double, f64x16, uint64_t, u64x16, i64x16, 0ull, UINT64_MAX, 0.0, 0x1p64)

/// [from][to], in the order of spk_lane. Integers of one width convert by their bits.
static const block_function convert_functions[6][6] = {
    {op_copy_f32, convert_f32_f64, convert_f32_i32, convert_f32_u32, convert_f32_i64, convert_f32_u64},
    {convert_f64_f32, op_copy_f64, convert_f64_i32, convert_f64_u32, convert_f64_i64, convert_f64_u64},
    {convert_i32_f32, convert_i32_f64, op_copy_i32, op_copy_i32, convert_i32_i64, convert_i32_i64},
    {convert_u32_f32, convert_u32_f64, op_copy_i32, op_copy_i32, convert_u32_i64, convert_u32_i64},
    {convert_i64_f32, convert_i64_f64, convert_i64_i32, convert_i64_i32, op_copy_i64, op_copy_i64},
    {convert_u64_f32, convert_u64_f64, convert_i64_i32, convert_i64_i32, op_copy_i64, op_copy_i64},
};

// MARK: The table

#define BY_LANE(NAME) {NAME##_f32, NAME##_f64, NAME##_i32, NAME##_u32, NAME##_i64, NAME##_u64}
#define BY_FLOAT(NAME) {NAME##_f32, NAME##_f64}
#define BY_WRAPPING(NAME) {[2] = NAME##_u32, NAME##_u32, NAME##_u64, NAME##_u64}
#define BY_ARITHMETIC(NAME) {NAME##_f32, NAME##_f64, NAME##_u32, NAME##_u32, NAME##_u64, NAME##_u64}

/// [operation][lane]; NULL where there is no such operation. CONVERT, LOAD and STORE are the interpreter's.
static const block_function block_functions[SPK_OP_COUNT][6] = {
    [SPK_OP_ROUND_F16] = {op_round_f16},
    [SPK_OP_ROUND_BF16] = {op_round_bf16},
    [SPK_OP_WRAP] = {[SPK_LANE_I32] = op_wrap, [SPK_LANE_U32] = op_wrap},
    [SPK_OP_COPY] = BY_LANE(op_copy),
    [SPK_OP_ADD] = BY_ARITHMETIC(op_add),
    [SPK_OP_SUB] = BY_ARITHMETIC(op_sub),
    [SPK_OP_MUL] = BY_ARITHMETIC(op_mul),
    [SPK_OP_DIV] = BY_LANE(op_div),
    [SPK_OP_REM] = BY_LANE(op_rem),
    [SPK_OP_NEG] = BY_ARITHMETIC(op_neg),
    [SPK_OP_ABS] = {op_abs_f32, op_abs_f64, op_abs_i32, op_copy_u32, op_abs_i64, op_copy_u64},
    [SPK_OP_SIGN] = BY_LANE(op_sign),
    [SPK_OP_MAX] = BY_LANE(op_max),
    [SPK_OP_MIN] = BY_LANE(op_min),
    [SPK_OP_FMA] = BY_FLOAT(op_fma),
    [SPK_OP_POW] = BY_LANE(op_pow),
    [SPK_OP_INTEGER_POW] = BY_ARITHMETIC(op_integer_pow),
    [SPK_OP_FLOOR] = BY_FLOAT(op_floor),
    [SPK_OP_CEIL] = BY_FLOAT(op_ceil),
    [SPK_OP_ROUND_EVEN] = BY_FLOAT(op_round_even),
    [SPK_OP_ROUND_AWAY] = BY_FLOAT(op_round_away),
    [SPK_OP_IS_FINITE] = BY_FLOAT(op_is_finite),
    [SPK_OP_NEXTAFTER] = BY_FLOAT(op_nextafter),
    [SPK_OP_SQRT] = BY_FLOAT(op_sqrt),
    [SPK_OP_RSQRT] = BY_FLOAT(op_rsqrt),
    [SPK_OP_CBRT] = BY_FLOAT(op_cbrt),
    [SPK_OP_EXP] = BY_FLOAT(op_exp),
    [SPK_OP_EXP2] = BY_FLOAT(op_exp2),
    [SPK_OP_EXPM1] = BY_FLOAT(op_expm1),
    [SPK_OP_LOG] = BY_FLOAT(op_log),
    [SPK_OP_LOG1P] = BY_FLOAT(op_log1p),
    [SPK_OP_SIN] = BY_FLOAT(op_sin),
    [SPK_OP_COS] = BY_FLOAT(op_cos),
    [SPK_OP_TAN] = BY_FLOAT(op_tan),
    [SPK_OP_ASIN] = BY_FLOAT(op_asin),
    [SPK_OP_ACOS] = BY_FLOAT(op_acos),
    [SPK_OP_ATAN] = BY_FLOAT(op_atan),
    [SPK_OP_ATAN2] = BY_FLOAT(op_atan2),
    [SPK_OP_SINH] = BY_FLOAT(op_sinh),
    [SPK_OP_COSH] = BY_FLOAT(op_cosh),
    [SPK_OP_TANH] = BY_FLOAT(op_tanh),
    [SPK_OP_ASINH] = BY_FLOAT(op_asinh),
    [SPK_OP_ACOSH] = BY_FLOAT(op_acosh),
    [SPK_OP_ATANH] = BY_FLOAT(op_atanh),
    [SPK_OP_LOGISTIC] = BY_FLOAT(op_logistic),
    [SPK_OP_ERF] = BY_FLOAT(op_erf),
    [SPK_OP_ERFC] = BY_FLOAT(op_erfc),
    [SPK_OP_ERF_INV] = BY_FLOAT(op_erf_inv),
    [SPK_OP_LGAMMA] = BY_FLOAT(op_lgamma),
    [SPK_OP_DIGAMMA] = BY_FLOAT(op_digamma),
    [SPK_OP_BESSEL_I0E] = BY_FLOAT(op_bessel_i0e),
    [SPK_OP_BESSEL_I1E] = BY_FLOAT(op_bessel_i1e),
    [SPK_OP_NDTRI] = BY_FLOAT(op_ndtri),
    [SPK_OP_LOG_NDTR] = BY_FLOAT(op_log_ndtr),
    [SPK_OP_ZETA] = BY_FLOAT(op_zeta),
    [SPK_OP_EQ] = BY_LANE(op_eq),
    [SPK_OP_NE] = BY_LANE(op_ne),
    [SPK_OP_LT] = BY_LANE(op_lt),
    [SPK_OP_LE] = BY_LANE(op_le),
    [SPK_OP_GT] = BY_LANE(op_gt),
    [SPK_OP_GE] = BY_LANE(op_ge),
    [SPK_OP_SELECT] = BY_LANE(op_select),
    [SPK_OP_AND] = BY_WRAPPING(op_and),
    [SPK_OP_OR] = BY_WRAPPING(op_or),
    [SPK_OP_XOR] = BY_WRAPPING(op_xor),
    [SPK_OP_NOT] = BY_WRAPPING(op_not),
    [SPK_OP_LOGICAL_NOT] = {[2] = op_logical_not_i32, op_logical_not_i32, op_logical_not_i64, op_logical_not_i64},
    [SPK_OP_SHL] = BY_WRAPPING(op_shl),
    [SPK_OP_SHR] = {[2] = op_shr_i32, op_shr_logical_u32, op_shr_i64, op_shr_logical_u64},
    [SPK_OP_SHR_LOGICAL] = BY_WRAPPING(op_shr_logical),
    [SPK_OP_POPCOUNT] = BY_WRAPPING(op_popcount),
    [SPK_OP_CLZ] = BY_WRAPPING(op_clz),
    [SPK_OP_BITCAST] = {op_copy_i32, op_copy_i64, op_copy_i32, op_copy_i32, op_copy_i64, op_copy_i64},
    [SPK_OP_THREEFRY] = {[SPK_LANE_U32] = op_threefry},
};

/// How many of a, b, c, d an operation reads.
static const uint8_t source_counts[SPK_OP_COUNT] = {
    [SPK_OP_STORE] = 1,       [SPK_OP_CONVERT ... SPK_OP_COPY] = 1,
    [SPK_OP_ADD ... SPK_OP_REM] = 2,
    [SPK_OP_NEG ... SPK_OP_SIGN] = 1,
    [SPK_OP_MAX] = 2,         [SPK_OP_MIN] = 2,
    [SPK_OP_FMA] = 3,         [SPK_OP_POW] = 2,
    [SPK_OP_INTEGER_POW ... SPK_OP_IS_FINITE] = 1,
    [SPK_OP_NEXTAFTER] = 2,
    [SPK_OP_SQRT ... SPK_OP_ATAN] = 1,
    [SPK_OP_ATAN2] = 2,
    [SPK_OP_SINH ... SPK_OP_LOG_NDTR] = 1,
    [SPK_OP_ZETA] = 2,
    [SPK_OP_EQ ... SPK_OP_GE] = 2,
    [SPK_OP_SELECT] = 3,
    [SPK_OP_AND ... SPK_OP_XOR] = 2,
    [SPK_OP_NOT] = 1,         [SPK_OP_LOGICAL_NOT] = 1,
    [SPK_OP_SHL ... SPK_OP_SHR_LOGICAL] = 2,
    [SPK_OP_POPCOUNT ... SPK_OP_BITCAST] = 1,
    [SPK_OP_THREEFRY] = 4,
};
