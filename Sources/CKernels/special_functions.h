// Functions that the C library lacks, in double precision.
#pragma once

/// log |Gamma(x)|, without the global sign of lgamma.
double spk_lgamma(double x);
/// The derivative of log Gamma. NaN at 0 and the negative integers.
double spk_digamma(double x);
double spk_erf_inv(double y);
