// Rare functions in double precision, one element at a time: the same code at every instruction set.
#define _GNU_SOURCE
#include "special_functions.h"

#include <math.h>

double spk_lgamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

double spk_digamma(double x) {
    if (isnan(x) || x == INFINITY) { return x; }
    if (x == -INFINITY || (x <= 0 && x == floor(x))) { return NAN; }
    double result = 0;
    if (x < 0) {
        // Reflection: psi(1 - x) - psi(x) = pi / tan(pi x)
        double fraction = x - floor(x);
        result = -M_PI / tan(M_PI * fraction);
        x = 1 - x;
    }
    while (x < 10) {
        result -= 1 / x;
        x += 1;
    }
    // Asymptotic series with Bernoulli numbers.
    double z = 1 / (x * x);
    double series = z * (1.0 / 12 - z * (1.0 / 120 - z * (1.0 / 252 - z * (1.0 / 240 - z * (1.0 / 132 - z *
        (691.0 / 32760 - z * (1.0 / 12)))))));
    return result + log(x) - 0.5 / x - series;
}

/// x >= 0 with erf(x) = magnitude and erfc(x) = complement, two ways to say the same: near 1 only the second has digits.
static double inverse_error_function(double magnitude, double complement) {
    if (magnitude < 1e-9) { return magnitude * 0.88622692545275801365; }
    // Winitzki's approximation, then Halley's method on erf(x) - y, or on erfc near 1, where erf has no digits left.
    double logarithm = magnitude < 0.5 ? log1p(-magnitude * magnitude) : log(complement * (1 + magnitude));
    double t = 2 / (M_PI * 0.147) + logarithm / 2;
    double x = sqrt(sqrt(t * t - logarithm / 0.147) - t);
    for (int step = 0; step < 4; step++) {
        double error = magnitude < 0.5 ? erf(x) - magnitude : complement - erfc(x);
        double newton = error / (M_2_SQRTPI * exp(-x * x));
        x -= newton / (1 + x * newton);
    }
    return x;
}

double spk_erf_inv(double y) {
    double magnitude = fabs(y);
    if (isnan(y) || magnitude > 1) { return NAN; }
    if (magnitude == 1) { return y * INFINITY; }
    return copysign(inverse_error_function(magnitude, 1 - magnitude), y);
}

double spk_ndtri(double p) {
    if (!(p >= 0 && p <= 1)) { return NAN; }
    if (p == 0) { return -INFINITY; }
    if (p == 1) { return INFINITY; }
    return p <= 0.5 ? -M_SQRT2 * inverse_error_function(1 - 2 * p, 2 * p)
                    : M_SQRT2 * inverse_error_function(2 * p - 1, 2 * (1 - p));
}

double spk_log_ndtr(double x) {
    if (x > 0) { return log1p(-0.5 * erfc(x * M_SQRT1_2)); }
    if (x > -30) { return log(0.5 * erfc(-x * M_SQRT1_2)); }
    // Asymptotic: erfc would come to its smallest numbers.
    double z = 1 / (x * x);
    double series = -z * (1 - z * (3 - z * (15 - z * 105)));
    return -0.5 * x * x - log(-x) - 0.91893853320467274178 + log1p(series);
}

double spk_bessel_ie(int order, double x) {
    double a = fabs(x), result;
    if (isnan(x)) { return x; }
    if (a <= 25) {
        // The power series, whose terms have one sign.
        double quarter = a * a / 4, term = order == 0 ? 1 : a / 2, sum = term;
        for (int k = 1; term > sum * 0x1p-55; k++) {
            term *= quarter / ((double)k * (k + order));
            sum += term;
        }
        result = sum * exp(-a);
    } else {
        // Hankel's asymptotic series; its terms fall below the last bit long before they grow again.
        double term = 1, sum = 1;
        for (int k = 1; fabs(term) > 0x1p-55; k++) {
            double odd = 2 * k - 1;
            term *= (odd * odd - 4 * order * order) / (8 * k * a);
            sum += term;
        }
        result = sum / sqrt(2 * M_PI * a);
    }
    return order == 1 ? copysign(result, x) : result;
}

double spk_zeta(double s, double q) {
    if (isnan(s) || isnan(q) || s < 1) { return NAN; }
    if (s == 1) { return INFINITY; }
    if (q <= 0) {
        if (q == floor(q)) { return INFINITY; }
        if (s != floor(s)) { return NAN; }
        // The sum over all integers, from both sides of the fraction, less the sum below q.
        double fraction = q - floor(q), sign = fmod(s, 2) == 0 ? 1 : -1;
        return spk_zeta(s, fraction) + sign * (spk_zeta(s, 1 - fraction) - spk_zeta(s, 1 - q));
    }
    if (q == INFINITY) { return 0; }
    double sum = 0;
    for (double far = 16 + fmin(s, 64); q < far; q += 1) { sum += pow(q, -s); }
    // Euler and Maclaurin's formula for the rest: (2k)! / B(2k) below.
    static const double divisors[] = {12, -720, 30240, -1209600, 47900160, -1307674368000.0 / 691, 74724249600};
    double power = pow(q, -s);
    sum += power * (q / (s - 1) + 0.5);
    double rising = s / q;
    for (int k = 0; k < 7; k++) {
        sum += power * rising / divisors[k];
        rising *= (s + 2 * k + 1) * (s + 2 * k + 2) / (q * q);
    }
    return sum;
}

double spk_logaddexp(double a, double b) {
    double difference = a - b;
    // NaN, or infinities of the same sign.
    if (isnan(difference)) { return a + b; }
    return (difference > 0 ? a : b) + log1p(exp(-fabs(difference)));
}
