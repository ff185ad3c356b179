// Functions that the C library lacks, in double precision.
#pragma once

/// log |Gamma(x)|, without the global sign of lgamma.
double spk_lgamma(double x);
/// The derivative of log Gamma. NaN at 0 and the negative integers.
double spk_digamma(double x);
double spk_erf_inv(double y);
/// I_order(x) * exp(-|x|), order 0 or 1.
double spk_bessel_ie(int order, double x);
/// The quantile function of the normal distribution, and the logarithm of its distribution function.
double spk_ndtri(double p);
double spk_log_ndtr(double x);
/// Hurwitz' zeta function. NaN for s < 1; at a pole (q = 0, -1, …) infinity; for other negative q a whole s is needed.
double spk_zeta(double s, double q);
/// log(exp(a) + exp(b))
double spk_logaddexp(double a, double b);
