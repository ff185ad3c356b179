// float32 mathematics on sixteen lanes, branch-free, with explicit fused multiply-adds: the same bits at every
// instruction set. Polynomials were fitted for this file (weighted minimax, coefficients rounded one by one). Errors
// are in units in the last place, measured against double precision over all magnitudes (see VectorMathTests).
// Included once per instruction set.

#define F(x) ((f32x16)(x))

SPK_INLINE f32x16 vm_fma(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }
SPK_INLINE i32x16 vm_bits(f32x16 a) { return ((i32x16)(a)); }
SPK_INLINE f32x16 vm_from_bits(i32x16 a) { return ((f32x16)(a)); }
SPK_INLINE f32x16 vm_abs(f32x16 a) { return vm_from_bits(vm_bits(a) & 0x7FFFFFFF); }
SPK_INLINE f32x16 vm_copysign(f32x16 magnitude, f32x16 sign) {
    return vm_from_bits((vm_bits(magnitude) & 0x7FFFFFFF) | (vm_bits(sign) & (int32_t)0x80000000));
}
/// 2^n for -126 <= n <= 127.
SPK_INLINE f32x16 vm_power_of_two(i32x16 n) { return vm_from_bits((n + 127) << 23); }

// Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the low bits.
#define ROUND_MAGIC 0x1.8p23f

/// exp(r) - 1 - r over r^2, for |r| <= ln(2) / 2.
SPK_INLINE f32x16 vm_exp_tail(f32x16 r) {
    f32x16 q = vm_fma(F(0x1.9e7380p-13f), r, F(0x1.6d3a4ap-10f));
    q = vm_fma(q, r, F(0x1.1112d8p-7f));
    q = vm_fma(q, r, F(0x1.5554f8p-5f));
    q = vm_fma(q, r, F(0x1.555554p-3f));
    return vm_fma(q, r, F(0.5f));
}

/// exp(r) * 2^n, rounded once, for -300 < n < 300.
SPK_INLINE f32x16 vm_exp_scaled(f32x16 r, i32x16 n) {
    // 1 + r in two parts, so that only the last addition rounds at the size of the result.
    f32x16 high = r + 1.0f;
    f32x16 p = high + vm_fma(vm_exp_tail(r), r * r, r - (high - 1.0f));
    i32x16 half = n >> 1;
    return p * vm_power_of_two(half) * vm_power_of_two(n - half);
}

/// Natural exponential; <= 1 ulp, subnormal results included.
SPK_INLINE f32x16 vm_exp(f32x16 x) {
    x = x > 89.0f ? F(89.0f) : x;
    x = x < -104.0f ? F(-104.0f) : x;
    f32x16 t = vm_fma(x, F(0x1.715476p0f), F(ROUND_MAGIC));
    f32x16 n = t - ROUND_MAGIC;
    f32x16 r = vm_fma(n, F(-0x1.62e400p-1f), x);
    r = vm_fma(n, F(-0x1.7f7d1cp-20f), r);
    return vm_exp_scaled(r, vm_bits(t) - vm_bits(F(ROUND_MAGIC)));
}

/// 2^x; <= 1 ulp.
SPK_INLINE f32x16 vm_exp2(f32x16 x) {
    x = x > 129.0f ? F(129.0f) : x;
    x = x < -151.0f ? F(-151.0f) : x;
    f32x16 t = x + ROUND_MAGIC;
    f32x16 f = x - (t - ROUND_MAGIC);
    f32x16 r = vm_fma(f, F(0x1.62e430p-1f), f * -0x1.05c610p-29f);
    return vm_exp_scaled(r, vm_bits(t) - vm_bits(F(ROUND_MAGIC)));
}

/// exp(x) - 1; <= 2 ulp.
SPK_INLINE f32x16 vm_expm1(f32x16 x) {
    f32x16 c = x > 89.0f ? F(89.0f) : x;
    c = c < -18.0f ? F(-18.0f) : c;
    f32x16 t = vm_fma(c, F(0x1.715476p0f), F(ROUND_MAGIC));
    f32x16 n = t - ROUND_MAGIC;
    f32x16 r = vm_fma(n, F(-0x1.62e400p-1f), c);
    r = vm_fma(n, F(-0x1.7f7d1cp-20f), r);
    f32x16 p = vm_fma(vm_exp_tail(r), r * r, r);
    // Half of the result, so that 2^128 does not overflow on the way.
    f32x16 scale = vm_power_of_two(vm_bits(t) - vm_bits(F(ROUND_MAGIC)) - 1);
    f32x16 result = vm_fma(scale, p, scale - 0.5f) * 2.0f;
    return vm_abs(x) < 0x1p-24f ? x : result;
}

/// log(1 + f) + k * ln(2), for sqrt(1/2) - 1 <= f <= sqrt(2) - 1.
SPK_INLINE f32x16 vm_log_core(f32x16 f, f32x16 k) {
    f32x16 p = vm_fma(F(-0x1.38c96ap-4f), f, F(0x1.055eacp-3f));
    p = vm_fma(p, f, F(-0x1.0d8246p-3f));
    p = vm_fma(p, f, F(0x1.22d930p-3f));
    p = vm_fma(p, f, F(-0x1.54728ap-3f));
    p = vm_fma(p, f, F(0x1.99a01cp-3f));
    p = vm_fma(p, f, F(-0x1.000226p-2f));
    p = vm_fma(p, f, F(0x1.555554p-2f));
    f32x16 square = f * f;
    f32x16 tail = vm_fma(p * f, square, k * 0x1.7f7d1cp-20f);
    tail = vm_fma(square, F(-0.5f), tail);
    return vm_fma(k, F(0x1.62e400p-1f), f + tail);
}

/// Natural logarithm; <= 1 ulp, subnormal arguments included. Of 0: -inf; of a negative number: NaN.
SPK_INLINE f32x16 vm_log(f32x16 x) {
    i32x16 tiny = x < 0x1p-126f;
    f32x16 scaled = tiny ? x * 0x1p23f : x;
    i32x16 bits = vm_bits(scaled);
    i32x16 exponent = (bits - 0x3F3504F3) >> 23;
    f32x16 f = vm_from_bits(bits - (exponent << 23)) - 1.0f;
    f32x16 k = __builtin_convertvector(exponent - (tiny & 23), f32x16);
    f32x16 result = vm_log_core(f, k);
    result = x == INFINITY ? x : result;
    result = x == 0.0f ? F(-INFINITY) : result;
    result = x < 0.0f ? F(NAN) : result;
    return x != x ? x : result;
}

/// log(1 + x); <= 2 ulp.
SPK_INLINE f32x16 vm_log1p(f32x16 x) {
    f32x16 u = x + 1.0f;
    // What the addition lost, exactly.
    f32x16 lost = vm_abs(x) > 1.0f ? 1.0f - (u - x) : x - (u - 1.0f);
    i32x16 bits = vm_bits(u);
    i32x16 exponent = (bits - 0x3F3504F3) >> 23;
    f32x16 m = vm_from_bits(bits - (exponent << 23));
    i32x16 scale_exponent = 0 - exponent;
    scale_exponent = scale_exponent < -126 ? (i32x16)(-126) : scale_exponent;
    f32x16 f = vm_fma(lost, vm_power_of_two(scale_exponent), m - 1.0f);
    f32x16 result = vm_log_core(f, __builtin_convertvector(exponent, f32x16));
    result = x == INFINITY ? x : result;
    result = x == -1.0f ? F(-INFINITY) : result;
    result = x < -1.0f ? F(NAN) : result;
    result = vm_abs(x) < 0x1p-25f ? x : result;
    return x != x ? x : result;
}

/// 1 / (1 + exp(-x)); <= 2 ulp, subnormal results included.
SPK_INLINE f32x16 vm_logistic(f32x16 x) {
    // With e = exp(-|x|) <= 1: 1 / (1 + e), or e / (1 + e) on the negative side.
    f32x16 e = vm_exp(-vm_abs(x));
    f32x16 numerator = x < 0.0f ? e : F(1.0f);
    f32x16 sum = e + 1.0f;
    f32x16 lost = e - (sum - 1.0f);
    f32x16 inverse = 1.0f / sum;
    f32x16 quotient = numerator * inverse;
    // One correction for the roundings of the sum, the reciprocal and the product.
    f32x16 remainder = vm_fma(-quotient, lost, vm_fma(-quotient, sum, numerator));
    f32x16 result = vm_fma(remainder, inverse, quotient);
    return x != x ? x : result;
}

/// Hyperbolic tangent; <= 2 ulp.
SPK_INLINE f32x16 vm_tanh(f32x16 x) {
    f32x16 a = vm_abs(x), s = x * x;
    f32x16 p = vm_fma(F(-0x1.7537fcp-8f), s, F(0x1.5200cap-6f));
    p = vm_fma(p, s, F(-0x1.b8368ep-5f));
    p = vm_fma(p, s, F(0x1.1106fap-3f));
    p = vm_fma(p, s, F(-0x1.555532p-2f));
    f32x16 small = vm_fma(p * s, x, x);
    // 1 - 2 / (exp(2a) + 1); from 10 on it is 1.
    f32x16 bounded = a > 10.0f ? F(10.0f) : a;
    f32x16 large = 1.0f - 2.0f / (vm_exp(bounded + bounded) + 1.0f);
    // The sign last: small is +0 for -0.
    f32x16 result = vm_copysign(a < 0.625f ? small : large, x);
    return x != x ? x : result;
}

/// Error function; <= 2 ulp.
SPK_INLINE f32x16 vm_erf(f32x16 x) {
    f32x16 a = vm_abs(x), s = x * x;
    f32x16 p = vm_fma(F(0x1.4f6760p-14f), s, F(-0x1.a60a2ep-11f));
    p = vm_fma(p, s, F(0x1.544a1ap-8f));
    p = vm_fma(p, s, F(-0x1.b8011ap-6f));
    p = vm_fma(p, s, F(0x1.ce2d64p-4f));
    p = vm_fma(p, s, F(-0x1.812740p-2f));
    p = vm_fma(p, s, F(0x1.06eba8p-3f));
    f32x16 small = vm_fma(p, x, x);
    // 1 - exp(-(t + t * r(t))); from 4 on it is 1.
    f32x16 t = a > 4.0f ? F(4.0f) : a;
    f32x16 r = vm_fma(F(0x1.6bceccp-17f), t, F(-0x1.4e6834p-12f));
    r = vm_fma(r, t, F(0x1.db5b0cp-9f));
    r = vm_fma(r, t, F(-0x1.84c59ap-6f));
    r = vm_fma(r, t, F(0x1.b2fcfep-4f));
    r = vm_fma(r, t, F(0x1.45359ap-1f));
    r = vm_fma(r, t, F(0x1.0775dep-3f));
    f32x16 large = 1.0f - vm_exp(-vm_fma(r, t, t));
    f32x16 result = a < 0.92f ? small : vm_copysign(large, x);
    return x != x ? x : result;
}

/// Inverse error function: M. Giles' single-precision polynomial in w = -log(1 - u^2), the form (and so, up to log1p,
/// the bits) that JAX's normal() uses.
SPK_INLINE f32x16 vm_erf_inv(f32x16 u) {
    f32x16 w = -vm_log1p(-u * u);
    f32x16 c = w - 2.5f;
    f32x16 p = F(2.81022636e-08f);
    p = vm_fma(p, c, F(3.43273939e-07f));
    p = vm_fma(p, c, F(-3.5233877e-06f));
    p = vm_fma(p, c, F(-4.39150654e-06f));
    p = vm_fma(p, c, F(0.00021858087f));
    p = vm_fma(p, c, F(-0.00125372503f));
    p = vm_fma(p, c, F(-0.00417768164f));
    p = vm_fma(p, c, F(0.246640727f));
    p = vm_fma(p, c, F(1.50140941f));
    f32x16 d = __builtin_elementwise_sqrt(w) - 3.0f;
    f32x16 q = F(-0.000200214257f);
    q = vm_fma(q, d, F(0.000100950558f));
    q = vm_fma(q, d, F(0.00134934322f));
    q = vm_fma(q, d, F(-0.00367342844f));
    q = vm_fma(q, d, F(0.00573950773f));
    q = vm_fma(q, d, F(-0.0076224613f));
    q = vm_fma(q, d, F(0.00943887047f));
    q = vm_fma(q, d, F(1.00167406f));
    q = vm_fma(q, d, F(2.83297682f));
    f32x16 result = (w < 5.0f ? p : q) * u;
    return vm_abs(u) == 1.0f ? u * INFINITY : result;
}

/// The nearest multiple of pi/2 taken away from x, in double precision: exact enough for |x| < 2^30. `quadrant` counts
/// the multiples.
SPK_INLINE f32x16 vm_reduce_quadrant(f32x16 x, i32x16 *quadrant) {
    f64x16 wide = __builtin_convertvector(x, f64x16);
    f64x16 t = __builtin_elementwise_fma(wide, (f64x16)(0x1.45f306dc9c883p-1), (f64x16)(0x1.8p52));
    f64x16 n = t - 0x1.8p52;
    f64x16 r = __builtin_elementwise_fma(n, (f64x16)(-0x1.921fb54442d18p0), wide);
    r = __builtin_elementwise_fma(n, (f64x16)(-0x1.1a62633145c07p-54), r);
    *quadrant = __builtin_convertvector(((i64x16)(t)), i32x16);
    return __builtin_convertvector(r, f32x16);
}

/// sin(x + quarter turns * pi/2); <= 2 ulp for |x| < 2^30. Larger arguments: see the caller.
SPK_INLINE f32x16 vm_sine(f32x16 x, int quarter_turns) {
    i32x16 quadrant;
    f32x16 r = vm_reduce_quadrant(x, &quadrant);
    quadrant += quarter_turns;
    f32x16 s = r * r;
    f32x16 p = vm_fma(F(0x1.7c3068p-19f), s, F(-0x1.a0595ap-13f));
    p = vm_fma(p, s, F(0x1.111174p-7f));
    p = vm_fma(p, s, F(-0x1.555556p-3f));
    f32x16 sine = vm_copysign(vm_fma(p * s, r, r), r); // -0 stays
    f32x16 q = vm_fma(F(0x1.99e816p-16f), s, F(-0x1.6c0c28p-10f));
    q = vm_fma(q, s, F(0x1.55554ap-5f));
    f32x16 cosine = vm_fma(q, s * s, vm_fma(s, F(-0.5f), F(1.0f)));
    f32x16 result = (quadrant & 1) != 0 ? cosine : sine;
    return vm_from_bits(vm_bits(result) ^ ((quadrant & 2) << 30));
}

/// x to the power y, by log2 and exp2 in double precision; <= 1 ulp. Special cases as in C's pow.
SPK_INLINE f32x16 vm_pow(f32x16 x, f32x16 y) {
    f64x16 a = __builtin_convertvector(vm_abs(x), f64x16), b = __builtin_convertvector(y, f64x16);
    // a = 2^k * m with sqrt(1/2) <= m < sqrt(2); log2(m) = 2 / ln(2) * atanh(s), s = (m - 1) / (m + 1)
    i64x16 bits = ((i64x16)(a));
    i64x16 exponent = (bits - 0x3FE6A09E667F3BCD) >> 52;
    f64x16 m = ((f64x16)(bits - (exponent << 52)));
    f64x16 s = (m - 1.0) / (m + 1.0), z = s * s;
    f64x16 p = (f64x16)(1.0 / 17);
    p = __builtin_elementwise_fma(p, z, (f64x16)(1.0 / 15));
    p = __builtin_elementwise_fma(p, z, (f64x16)(1.0 / 13));
    p = __builtin_elementwise_fma(p, z, (f64x16)(1.0 / 11));
    p = __builtin_elementwise_fma(p, z, (f64x16)(1.0 / 9));
    p = __builtin_elementwise_fma(p, z, (f64x16)(1.0 / 7));
    p = __builtin_elementwise_fma(p, z, (f64x16)(1.0 / 5));
    p = __builtin_elementwise_fma(p, z, (f64x16)(1.0 / 3));
    p = __builtin_elementwise_fma(p * z, s, s);
    // 32-bit exponents convert at every instruction set alike.
    f64x16 k = __builtin_convertvector(__builtin_convertvector(exponent, i32x16), f64x16);
    f64x16 logarithm = __builtin_elementwise_fma(p, (f64x16)(0x1.71547652b82fep1), k);
    f64x16 e = b * logarithm;
    e = e > 1000.0 ? (f64x16)(1000.0) : e;
    e = e < -1000.0 ? (f64x16)(-1000.0) : e;
    e = e != e ? (f64x16)(0.0) : e; // infinities times 0: sorted out below
    f64x16 t = e + 0x1.8p52;
    f64x16 r = (e - (t - 0x1.8p52)) * 0x1.62e42fefa39efp-1;
    f64x16 q = (f64x16)(1.0 / 39916800);
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0 / 3628800));
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0 / 362880));
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0 / 40320));
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0 / 5040));
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0 / 720));
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0 / 120));
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0 / 24));
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0 / 6));
    q = __builtin_elementwise_fma(q, r, (f64x16)(0.5));
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0));
    q = __builtin_elementwise_fma(q, r, (f64x16)(1.0));
    i64x16 n = ((i64x16)(t)) - ((i64x16)((f64x16)(0x1.8p52)));
    f64x16 power = q * ((f64x16)((n + 1023) << 52));
    f32x16 result = __builtin_convertvector(power, f32x16);

    f32x16 magnitude = vm_abs(x), y_magnitude = vm_abs(y);
    // Every float of 2^24 and more is an even integer.
    f32x16 bounded = y_magnitude < 0x1p24f ? y_magnitude : F(0.0f);
    i32x16 whole = __builtin_convertvector(bounded, i32x16);
    i32x16 is_integer = __builtin_convertvector(whole, f32x16) == bounded;
    i32x16 is_odd = is_integer & ((whole & 1) != 0);
    i32x16 infinite_y = y_magnitude == INFINITY;
    // |x| is 0 or infinite: 0 or infinity by the sign of y.
    i32x16 extreme = (magnitude == 0.0f) | (magnitude == INFINITY);
    i32x16 grows = (magnitude > 1.0f) == (y > 0.0f);
    result = (extreme | infinite_y) != 0 ? (grows ? F(INFINITY) : F(0.0f)) : result;
    result = (infinite_y & (magnitude == 1.0f)) != 0 ? F(1.0f) : result;
    i32x16 negative = vm_bits(x) < 0;
    result = (negative & is_odd) != 0 ? -result : result;
    result = ((x < 0.0f) & (x != -INFINITY) & ~is_integer & ~infinite_y) != 0 ? F(NAN) : result;
    result = ((x != x) | (y != y)) != 0 ? x + y : result;
    return ((x == 1.0f) | (y == 0.0f)) != 0 ? F(1.0f) : result;
}
