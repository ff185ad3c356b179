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

double spk_erf_inv(double y) {
    double magnitude = fabs(y);
    if (isnan(y) || magnitude > 1) { return NAN; }
    if (magnitude == 1) { return y * INFINITY; }
    if (magnitude < 1e-9) { return y * 0.88622692545275801365; }
    // Winitzki's approximation, then Halley's method on erf(x) - y, or on erfc near 1, where erf has no digits left.
    double logarithm = log1p(-magnitude * magnitude), t = 2 / (M_PI * 0.147) + logarithm / 2;
    double x = sqrt(sqrt(t * t - logarithm / 0.147) - t);
    for (int step = 0; step < 4; step++) {
        double error = magnitude < 0.5 ? erf(x) - magnitude : (1 - magnitude) - erfc(x);
        double newton = error / (M_2_SQRTPI * exp(-x * x));
        x -= newton / (1 + x * newton);
    }
    return copysign(x, y);
}
