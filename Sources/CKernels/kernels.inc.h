// All kernels that exist once per instruction set, and their table. The including file defines SPK_LEVEL,
// SPK_LEVEL_NUMBER (0 portable, 1 AVX2, 2 AVX-512) and SPK_TABLE.
#include "vector_math.inc.h"

#include "elementwise.inc.h"

#include "fused.inc.h"

#include "gemm.inc.h"

#include "conv.inc.h"

#include "reduce.inc.h"

#include "copy.inc.h"

#include "cumulative.inc.h"

#include "window.inc.h"

const spk_table SPK_TABLE = {
    .level = SPK_LEVEL,
    .fused = run_fused,
    .gemm = run_gemm,
    .matmul_plain = run_matmul_plain,
    .conv = run_conv,
    .window = run_window,
    .window_gather = run_window_gather,
    .window_scatter = run_window_scatter,
    .reduce = run_reduce,
    .cumulative = run_cumulative,
    .copy = run_copy,
};
