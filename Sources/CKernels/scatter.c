// Updates at indices along an axis, in the order of the indices. Threads take parts of the outer and inner dimensions only.
#include "internal.h"

enum { SCATTER_PARALLEL_BYTES = 256 << 10, SCATTER_LEAST_COLUMNS = 32 };

typedef struct {
    const char *src;
    char *dst;
    const int32_t *index;
    const spk_scatter *scatter;
    int64_t column_blocks, columns;
} scatter_run;

#define INTEGER_MAX(x, y) ((x) > (y) ? (x) : (y))
#define INTEGER_MIN(x, y) ((x) < (y) ? (x) : (y))
// NaN in either gives NaN.
#define FLOAT_MAX(x, y) ((x) > (y) || (x) != (x) ? (x) : (y))
#define FLOAT_MIN(x, y) ((x) < (y) || (x) != (x) ? (x) : (y))

#define COLUMNS(RESULT)                                                                                                \
    for (int64_t i = 0; i < columns; i++) { RESULT; }                                                                  \
    break;

// T: as stored; C: as computed, by LOAD and STORE.
#define UPDATE_ROWS(T, C, LOAD, STORE, ADD, MUL, MINIMUM, MAXIMUM)                                                     \
    {                                                                                                                  \
        const T *src = (const T *)run->src + o * scatter->indices * inner + column;                                    \
        T *dst = (T *)run->dst + o * scatter->count * inner + column;                                                  \
        for (int64_t j = 0; j < scatter->indices; j++) {                                                               \
            int64_t k = run->index[j];                                                                                 \
            if (k < 0 || k >= scatter->count) { continue; }                                                            \
            T *to = dst + k * inner;                                                                                   \
            const T *from = src + j * inner;                                                                           \
            switch (scatter->update) {                                                                                 \
            case SPK_UPDATE_SET: COLUMNS(to[i] = from[i])                                                              \
            case SPK_UPDATE_ADD: COLUMNS(C x = LOAD(to[i]); C y = LOAD(from[i]); to[i] = STORE(ADD))                   \
            case SPK_UPDATE_MUL: COLUMNS(C x = LOAD(to[i]); C y = LOAD(from[i]); to[i] = STORE(MUL))                   \
            case SPK_UPDATE_MIN: COLUMNS(C x = LOAD(to[i]); C y = LOAD(from[i]); to[i] = STORE(MINIMUM(x, y)))         \
            default: COLUMNS(C x = LOAD(to[i]); C y = LOAD(from[i]); to[i] = STORE(MAXIMUM(x, y)))                     \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    break;

// Wrapping arithmetic in an unsigned type U as wide as the product needs; order in the type itself.
#define INTEGER_ROWS(T, U)                                                                                             \
    UPDATE_ROWS(T, T, , (T), (U)x + (U)y, (U)x * (U)y, INTEGER_MIN, INTEGER_MAX)
#define FLOAT_ROWS(T, C, LOAD, STORE) UPDATE_ROWS(T, C, LOAD, STORE, x + y, x * y, FLOAT_MIN, FLOAT_MAX)

static void run_scatter_tile(void *context, int64_t tile) {
    const scatter_run *run = context;
    const spk_scatter *scatter = run->scatter;
    int64_t o = tile / run->column_blocks, column = tile % run->column_blocks * run->columns;
    int64_t inner = scatter->inner, columns = SPK_MIN(run->columns, inner - column);
    switch (scatter->dtype) {
    case SPK_BOOL: UPDATE_ROWS(uint8_t, uint8_t, , (uint8_t), x | y, x & y, INTEGER_MIN, INTEGER_MAX)
    case SPK_INT8: INTEGER_ROWS(int8_t, uint32_t)
    case SPK_INT16: INTEGER_ROWS(int16_t, uint32_t)
    case SPK_INT32: INTEGER_ROWS(int32_t, uint32_t)
    case SPK_INT64: INTEGER_ROWS(int64_t, uint64_t)
    case SPK_UINT8: INTEGER_ROWS(uint8_t, uint32_t)
    case SPK_UINT16: INTEGER_ROWS(uint16_t, uint32_t)
    case SPK_UINT32: INTEGER_ROWS(uint32_t, uint32_t)
    case SPK_UINT64: INTEGER_ROWS(uint64_t, uint64_t)
    case SPK_FLOAT16: FLOAT_ROWS(uint16_t, float, spk_half_to_float, spk_float_to_half)
    case SPK_BFLOAT16: FLOAT_ROWS(uint16_t, float, spk_bfloat_to_float, spk_float_to_bfloat)
    case SPK_FLOAT32: FLOAT_ROWS(float, float, , )
    default: FLOAT_ROWS(double, double, , )
    }
}

void spk_run_scatter(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_scatter *scatter = arguments;
    int32_t dtype = scatter->dtype;
    scatter_run run = {
        .src = spk_address(slots, scatter->src, scatter->src_offset, dtype),
        .dst = spk_address(slots, scatter->dst, scatter->dst_offset, dtype),
        .index = (const int32_t *)slots[scatter->index] + scatter->index_offset,
        .scatter = scatter,
    };
    int64_t size = spk_element_size[dtype], total = scatter->outer * scatter->count * scatter->inner;
    if (total <= 0) { return; }
    if (spk_address(slots, scatter->operand, scatter->operand_offset, dtype) != run.dst) {
        spk_copy whole = {
            .rank = 1,
            .dims = {total},
            .src = {.slot = scatter->operand, .dtype = dtype, .offset = scatter->operand_offset, .strides = {1}},
            .dst = {.slot = scatter->dst, .dtype = dtype, .offset = scatter->dst_offset, .strides = {1}},
        };
        spk_run_copy(&whole, slots, pool);
    }
    if (scatter->indices <= 0) { return; }
    bool parallel = scatter->outer * scatter->indices * scatter->inner * size >= SCATTER_PARALLEL_BYTES;
    int64_t columns = SPK_MAX(spk_ceil_div(scatter->inner, 8), (int64_t)SCATTER_LEAST_COLUMNS);
    run.columns = parallel ? columns : scatter->inner;
    run.column_blocks = spk_ceil_div(scatter->inner, run.columns);
    spk_pool_run(parallel ? pool : NULL, scatter->outer * run.column_blocks, run_scatter_tile, &run);
}
