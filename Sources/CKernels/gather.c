// Gathers along an axis and their transposes (scatters that add, in the order of the indices). Threads take parts of
// the outer and inner dimensions only, so the order of every sum is that of the indices.
#include "internal.h"

enum { GATHER_PARALLEL_BYTES = 256 << 10, GATHER_TILE_BYTES = 64 << 10 };

/// What take, take_along and their transposes have in common: element (o, j, i) of the dense side meets element
/// (o, index, i) of the indexed one.
typedef struct {
    const char *src;
    char *dst;
    const int32_t *index;
    int32_t dtype, mode;
    int64_t outer, count, inner, indices;
    bool along; // an index for each element, not for each j
    int64_t column_blocks, columns;
} gather_run;

/// What stands for elements out of range: NaN, the lowest integer, the highest unsigned one. bool: true, as unsigned.
static uint64_t fill_value(int32_t dtype) {
    switch (dtype) {
    case SPK_BOOL: return 1;
    case SPK_INT8: return 0x80;
    case SPK_INT16: return 0x8000;
    case SPK_INT32: return 0x80000000u;
    case SPK_INT64: return 0x8000000000000000u;
    case SPK_FLOAT16: return 0x7E00;
    case SPK_BFLOAT16: return 0x7FC0;
    case SPK_FLOAT32: return 0x7FC00000u;
    case SPK_FLOAT64: return 0x7FF8000000000000u;
    default: return UINT64_MAX;
    }
}

/// The index to read, or -1 for the fill value.
static inline int64_t resolve(const gather_run *run, int64_t index) {
    if (index >= 0 && index < run->count) { return index; }
    if (run->mode == SPK_INDEX_FILL || run->count == 0) { return -1; }
    return index < 0 ? 0 : run->count - 1;
}

#define GATHER_ROWS(T)                                                                                                 \
    {                                                                                                                  \
        const T *src = (const T *)run->src + o * run->count * inner + column;                                          \
        T *dst = (T *)run->dst + o * run->indices * inner + column;                                                    \
        const T fill = (T)fill_value(run->dtype);                                                                      \
        if (run->along) {                                                                                              \
            const int32_t *index = run->index + o * run->indices * inner + column;                                     \
            for (int64_t j = first; j < last; j++) {                                                                   \
                for (int64_t i = 0; i < columns; i++) {                                                                \
                    int64_t k = resolve(run, index[j * inner + i]);                                                    \
                    dst[j * inner + i] = k < 0 ? fill : src[k * inner + i];                                            \
                }                                                                                                      \
            }                                                                                                          \
        } else {                                                                                                       \
            for (int64_t j = first; j < last; j++) {                                                                   \
                int64_t k = resolve(run, run->index[j]);                                                               \
                T *row = dst + j * inner;                                                                              \
                if (k < 0) {                                                                                           \
                    for (int64_t i = 0; i < columns; i++) { row[i] = fill; }                                           \
                } else if (columns >= 16) {                                                                            \
                    memcpy(row, src + k * inner, (size_t)columns * sizeof(T));                                         \
                } else {                                                                                               \
                    for (int64_t i = 0; i < columns; i++) { row[i] = src[k * inner + i]; }                             \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    break;

typedef struct {
    gather_run gather;
    int64_t blocks, per_block; // of j
} gather_tiles;

static void run_gather_tile(void *context, int64_t tile) {
    const gather_tiles *tiles = context;
    const gather_run *run = &tiles->gather;
    int64_t o = tile / tiles->blocks, first = tile % tiles->blocks * tiles->per_block;
    int64_t last = SPK_MIN(first + tiles->per_block, run->indices);
    int64_t inner = run->inner, column = 0, columns = inner;
    switch (spk_element_size[run->dtype]) {
    case 1: GATHER_ROWS(uint8_t)
    case 2: GATHER_ROWS(uint16_t)
    case 4: GATHER_ROWS(uint32_t)
    default: GATHER_ROWS(uint64_t)
    }
}

static void run_gather(const gather_run *run, spk_pool *pool) {
    if (run->outer <= 0 || run->indices <= 0 || run->inner <= 0) { return; }
    int64_t row = run->inner * spk_element_size[run->dtype];
    gather_tiles tiles = {
        .gather = *run,
        .per_block = SPK_MIN(SPK_MAX(GATHER_TILE_BYTES / row, (int64_t)1), run->indices),
    };
    tiles.blocks = spk_ceil_div(run->indices, tiles.per_block);
    bool parallel = run->outer * run->indices * row >= GATHER_PARALLEL_BYTES;
    spk_pool_run(parallel ? pool : NULL, run->outer * tiles.blocks, run_gather_tile, &tiles);
}

static void run_take(const spk_take *take, void *const *slots, spk_pool *pool, bool along) {
    gather_run run = {
        .src = spk_address(slots, take->src, take->src_offset, take->dtype),
        .dst = spk_address(slots, take->dst, take->dst_offset, take->dtype),
        .index = (const int32_t *)slots[take->index] + take->index_offset,
        .dtype = take->dtype,
        .mode = take->mode,
        .outer = take->outer,
        .count = take->count,
        .inner = take->inner,
        .indices = take->indices,
        .along = along,
    };
    run_gather(&run, pool);
}

void spk_run_take(const void *arguments, void *const *slots, spk_pool *pool) {
    run_take(arguments, slots, pool, false);
}

void spk_run_take_along(const void *arguments, void *const *slots, spk_pool *pool) {
    run_take(arguments, slots, pool, true);
}

// MARK: Scatters

/// SUM: of x (there) and y (added), as stored.
#define SCATTER_ROWS(T, SUM)                                                                                           \
    {                                                                                                                  \
        const T *src = (const T *)run->src + o * run->indices * inner + column;                                        \
        T *dst = (T *)run->dst + o * run->count * inner + column;                                                      \
        const int32_t *index = run->along ? run->index + o * run->indices * inner + column : run->index;               \
        for (int64_t j = 0; j < run->indices; j++) {                                                                   \
            if (run->along) {                                                                                          \
                for (int64_t i = 0; i < columns; i++) {                                                                \
                    int64_t k = index[j * inner + i];                                                                  \
                    if (k < 0 || k >= run->count) { continue; }                                                        \
                    const T x = dst[k * inner + i], y = src[j * inner + i];                                            \
                    dst[k * inner + i] = (SUM);                                                                        \
                }                                                                                                      \
            } else {                                                                                                   \
                int64_t k = index[j];                                                                                  \
                if (k < 0 || k >= run->count) { continue; }                                                            \
                T *restrict to = dst + k * inner;                                                                      \
                const T *restrict from = src + j * inner;                                                              \
                for (int64_t i = 0; i < columns; i++) {                                                                \
                    const T x = to[i], y = from[i];                                                                    \
                    to[i] = (SUM);                                                                                     \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    break;

static void run_scatter_tile(void *context, int64_t tile) {
    const gather_run *run = context;
    int64_t o = tile / run->column_blocks, column = tile % run->column_blocks * run->columns, inner = run->inner;
    int64_t columns = SPK_MIN(run->columns, inner - column);
    switch (run->dtype) {
    case SPK_BOOL: SCATTER_ROWS(uint8_t, x | y)
    case SPK_INT8:
    case SPK_UINT8: SCATTER_ROWS(uint8_t, (uint8_t)(x + y))
    case SPK_INT16:
    case SPK_UINT16: SCATTER_ROWS(uint16_t, (uint16_t)(x + y))
    case SPK_INT32:
    case SPK_UINT32: SCATTER_ROWS(uint32_t, x + y)
    case SPK_INT64:
    case SPK_UINT64: SCATTER_ROWS(uint64_t, x + y)
    case SPK_FLOAT16: SCATTER_ROWS(uint16_t, spk_float_to_half(spk_half_to_float(x) + spk_half_to_float(y)))
    case SPK_BFLOAT16: SCATTER_ROWS(uint16_t, spk_float_to_bfloat(spk_bfloat_to_float(x) + spk_bfloat_to_float(y)))
    case SPK_FLOAT32: SCATTER_ROWS(float, x + y)
    default: SCATTER_ROWS(double, x + y)
    }
}

static void run_scatter(gather_run *run, spk_pool *pool) {
    if (run->outer <= 0 || run->indices <= 0 || run->inner <= 0) { return; }
    int64_t bytes = run->outer * run->indices * run->inner * spk_element_size[run->dtype];
    bool parallel = bytes >= GATHER_PARALLEL_BYTES && pool != NULL;
    // At least a cache line of columns each.
    run->columns = parallel ? SPK_MAX(spk_ceil_div(run->inner, 8), (int64_t)32) : run->inner;
    run->column_blocks = spk_ceil_div(run->inner, run->columns);
    spk_pool_run(parallel ? pool : NULL, run->outer * run->column_blocks, run_scatter_tile, run);
}

static void run_scatter_add(const spk_scatter_add *scatter, void *const *slots, spk_pool *pool, bool along) {
    gather_run run = {
        .src = spk_address(slots, scatter->src, scatter->src_offset, scatter->dtype),
        .dst = spk_address(slots, scatter->dst, scatter->dst_offset, scatter->dtype),
        .index = (const int32_t *)slots[scatter->index] + scatter->index_offset,
        .dtype = scatter->dtype,
        .outer = scatter->outer,
        .count = scatter->count,
        .inner = scatter->inner,
        .indices = scatter->indices,
        .along = along,
    };
    run_scatter(&run, pool);
}

void spk_run_scatter_add(const void *arguments, void *const *slots, spk_pool *pool) {
    run_scatter_add(arguments, slots, pool, false);
}

void spk_run_scatter_add_along(const void *arguments, void *const *slots, spk_pool *pool) {
    run_scatter_add(arguments, slots, pool, true);
}
