// Running sums, products, maxima, minima and logarithms of sums of exponentials along the middle dimension of
// [outer, count, inner], element after element.
// float16 and bfloat16 accumulate in float32 and round each result. Included once per instruction set.

enum { CUMULATIVE_COLUMNS = 128, CUMULATIVE_PARALLEL_WORK = 65536, CUMULATIVE_TILE_WORK = 16384 };

typedef struct {
    const spk_cumulative *cumulative;
    const char *src;
    char *dst;
    int64_t column_blocks, outer_per_tile;
} cumulative_run;

#define NAN_WINS(a, b, RELATION) ((a)RELATION(b) || (a) != (a) ? (a) : (b))

/// S: stored element; A: accumulator; WIDEN, NARROW: of x.
#define RUNNING(S, A, WIDEN, NARROW, OPERATION)                                                                        \
    {                                                                                                                  \
        const S *src = (const S *)run->src + first;                                                                    \
        S *dst = (S *)run->dst + first;                                                                                \
        A total[CUMULATIVE_COLUMNS];                                                                                   \
        for (int64_t r = 0; r < cumulative->count; r++, src += step, dst += step) {                                    \
            for (int64_t j = 0; j < columns; j++) {                                                                    \
                S x = src[j];                                                                                          \
                A b = (WIDEN), a = r == 0 ? b : total[j];                                                              \
                A result = r == 0 ? b : (A)(OPERATION);                                                                \
                total[j] = result;                                                                                     \
                dst[j] = NARROW;                                                                                       \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    break;
#define RUNNING_OF(S, A, WIDEN, NARROW)                                                                                \
    switch (cumulative->cumulation) {                                                                                  \
    case SPK_CUMSUM: RUNNING(S, A, WIDEN, NARROW, a + b)                                                               \
    case SPK_CUMPROD: RUNNING(S, A, WIDEN, NARROW, a * b)                                                              \
    case SPK_CUMMAX: RUNNING(S, A, WIDEN, NARROW, NAN_WINS(a, b, >))                                                   \
    default: RUNNING(S, A, WIDEN, NARROW, NAN_WINS(a, b, <))                                                           \
    }                                                                                                                  \
    break;

// In double precision, so that thousands of roundings do not add up.
#define RUNNING_LOG_SUM(S, WIDEN, NARROW) RUNNING(S, double, WIDEN, NARROW, spk_logaddexp(a, b))

static void run_log_sum_columns(
    const cumulative_run *run, const spk_cumulative *cumulative, int64_t first, int64_t step, int64_t columns) {
    switch (cumulative->dtype) {
    case SPK_FLOAT16: RUNNING_LOG_SUM(uint16_t, (double)spk_half_to_float(x), spk_float_to_half((float)result))
    case SPK_BFLOAT16: RUNNING_LOG_SUM(uint16_t, (double)spk_bfloat_to_float(x), spk_float_to_bfloat((float)result))
    case SPK_FLOAT32: RUNNING_LOG_SUM(float, (double)x, (float)result)
    default: RUNNING_LOG_SUM(double, x, result)
    }
}

static void run_cumulative_columns(
    const cumulative_run *run, const spk_cumulative *cumulative, int64_t first, int64_t step, int64_t columns) {
    // Sums and products wrap, so they run on unsigned numbers.
    bool ordered = cumulative->cumulation == SPK_CUMMAX || cumulative->cumulation == SPK_CUMMIN;
    switch (cumulative->dtype) {
    case SPK_BOOL: RUNNING_OF(uint8_t, uint32_t, x, result != 0)
    case SPK_INT8:
        if (ordered) { RUNNING_OF(int8_t, int32_t, x, (int8_t)result) }
        RUNNING_OF(uint8_t, uint32_t, x, (uint8_t)result)
    case SPK_INT16:
        if (ordered) { RUNNING_OF(int16_t, int32_t, x, (int16_t)result) }
        RUNNING_OF(uint16_t, uint32_t, x, (uint16_t)result)
    case SPK_INT32:
        if (ordered) { RUNNING_OF(int32_t, int32_t, x, result) }
        RUNNING_OF(uint32_t, uint32_t, x, result)
    case SPK_INT64:
        if (ordered) { RUNNING_OF(int64_t, int64_t, x, result) }
        RUNNING_OF(uint64_t, uint64_t, x, result)
    case SPK_UINT8: RUNNING_OF(uint8_t, uint32_t, x, (uint8_t)result)
    case SPK_UINT16: RUNNING_OF(uint16_t, uint32_t, x, (uint16_t)result)
    case SPK_UINT32: RUNNING_OF(uint32_t, uint32_t, x, result)
    case SPK_UINT64: RUNNING_OF(uint64_t, uint64_t, x, result)
    case SPK_FLOAT16: RUNNING_OF(uint16_t, float, spk_half_to_float(x), spk_float_to_half(result))
    case SPK_BFLOAT16: RUNNING_OF(uint16_t, float, spk_bfloat_to_float(x), spk_float_to_bfloat(result))
    case SPK_FLOAT32: RUNNING_OF(float, float, x, result)
    default: RUNNING_OF(double, double, x, result)
    }
}

static void run_cumulative_tile(void *context, int64_t tile) {
    const cumulative_run *run = context;
    const spk_cumulative *cumulative = run->cumulative;
    int64_t inner = cumulative->inner, column = tile % run->column_blocks * CUMULATIVE_COLUMNS;
    int64_t columns = SPK_MIN((int64_t)CUMULATIVE_COLUMNS, inner - column);
    int64_t begin = tile / run->column_blocks * run->outer_per_tile;
    int64_t end = SPK_MIN(begin + run->outer_per_tile, cumulative->outer);
    for (int64_t o = begin; o < end; o++) {
        int64_t start = cumulative->reverse ? cumulative->count - 1 : 0;
        int64_t first = (o * cumulative->count + start) * inner + column;
        int64_t step = cumulative->reverse ? -inner : inner;
        if (cumulative->cumulation == SPK_CUMLOGSUMEXP) {
            run_log_sum_columns(run, cumulative, first, step, columns);
        } else {
            run_cumulative_columns(run, cumulative, first, step, columns);
        }
    }
}

static void run_cumulative(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_cumulative *cumulative = arguments;
    if (cumulative->outer <= 0 || cumulative->count <= 0 || cumulative->inner <= 0) { return; }
    int64_t each = cumulative->count * SPK_MIN(cumulative->inner, (int64_t)CUMULATIVE_COLUMNS);
    bool parallel = cumulative->outer * cumulative->count * cumulative->inner >= CUMULATIVE_PARALLEL_WORK;
    cumulative_run run = {
        .cumulative = cumulative,
        .src = spk_address(slots, cumulative->src, cumulative->src_offset, cumulative->dtype),
        .dst = spk_address(slots, cumulative->dst, cumulative->dst_offset, cumulative->dtype),
        .column_blocks = spk_ceil_div(cumulative->inner, CUMULATIVE_COLUMNS),
        .outer_per_tile = SPK_MAX(CUMULATIVE_TILE_WORK / each, (int64_t)1),
    };
    int64_t tiles = spk_ceil_div(cumulative->outer, run.outer_per_tile) * run.column_blocks;
    spk_pool_run(parallel ? pool : NULL, tiles, run_cumulative_tile, &run);
}
