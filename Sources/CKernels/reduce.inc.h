// Reductions over the middle dimension of [outer, count, inner]. The order of a sum is fixed by shape: within a chunk
// by lanes (inner == 1: element i goes to lane i mod 16; lanes are then added 8 apart, 4, 2, 1) or by rows (inner > 1),
// and chunks as a balanced tree whose left part is the largest power of two. Groups of 2^p chunks are subtrees of it:
// what threads get. Included once per instruction set, after gemm.inc.h.

typedef int8_t i8x16 __attribute__((ext_vector_type(16)));
typedef uint8_t u8x16 __attribute__((ext_vector_type(16)));
typedef int16_t i16x16 __attribute__((ext_vector_type(16)));
typedef uint16_t u16x16 __attribute__((ext_vector_type(16)));

enum {
    LANE_CHUNK = 4096,              // elements, inner == 1
    ROW_CHUNK = 256,                // rows, inner > 1
    COLUMN_BLOCK = 64,
    MOST_LEVELS = 56,               // of the tree of chunks
    REDUCE_TILE_WORK = 16384,       // elements
    REDUCE_PARALLEL_WORK = 65536,
};

typedef struct {
    const spk_reduce *reduce;
    const char *src;
    char *dst, *partials;           // partials: [outer, groups, inner] accumulators; NULL: results go to dst
    int64_t chunk, chunks, chunks_per_group, groups, column_blocks, outer_per_tile;
} reduce_run;

/// 2^p chunks per group: the largest subtree count that leaves no more than `most` groups.
static void choose_groups(reduce_run *run, int64_t most) {
    run->chunks_per_group = 1;
    while (spk_ceil_div(run->chunks, run->chunks_per_group) > SPK_MAX(most, (int64_t)1)) { run->chunks_per_group *= 2; }
    run->groups = SPK_MAX(spk_ceil_div(run->chunks, run->chunks_per_group), (int64_t)1);
}

#define NAN_WINS_MAX(a, b) ((((a) > (b)) | ((a) != (a))) != 0 ? (a) : (b))
#define NAN_WINS_MIN(a, b) ((((a) < (b)) | ((a) != (a))) != 0 ? (a) : (b))
#define PLAIN_MAX(a, b) ((a) > (b) ? (a) : (b))
#define PLAIN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define NO_BITS(a, b, OPERATOR) (a)
#define BITS(a, b, OPERATOR) ((a) OPERATOR(b))

#define WIDENED(VS, V) __builtin_convertvector(LOAD16(VS, p, 0), V)
#define HALVES(FUNCTION)                                                                                               \
    ({                                                                                                                 \
        f32x16 halves;                                                                                                 \
        for (int l = 0; l < 16; l++) { halves[l] = FUNCTION(p[l]); }                                                   \
        halves;                                                                                                        \
    })

#define TYPE b8
#define S uint8_t
#define A int32_t
#define V i32x16
#define WRAPPING_V u32x16
#define LOAD WIDENED(u8x16, i32x16)
#define ONE *p
#define NARROW x != 0
#define LOWEST 0
#define HIGHEST 1
#define ALL 1
#define MAXIMUM PLAIN_MAX
#define MINIMUM PLAIN_MIN
#define BITWISE BITS
#include "reduce_type.inc.h"

#define TYPE i8
#define S int8_t
#define A int32_t
#define V i32x16
#define WRAPPING_V u32x16
#define LOAD WIDENED(i8x16, i32x16)
#define ONE *p
#define NARROW (int8_t)x
#define LOWEST INT8_MIN
#define HIGHEST INT8_MAX
#define ALL -1
#define MAXIMUM PLAIN_MAX
#define MINIMUM PLAIN_MIN
#define BITWISE BITS
#include "reduce_type.inc.h"

#define TYPE i16
#define S int16_t
#define A int32_t
#define V i32x16
#define WRAPPING_V u32x16
#define LOAD WIDENED(i16x16, i32x16)
#define ONE *p
#define NARROW (int16_t)x
#define LOWEST INT16_MIN
#define HIGHEST INT16_MAX
#define ALL -1
#define MAXIMUM PLAIN_MAX
#define MINIMUM PLAIN_MIN
#define BITWISE BITS
#include "reduce_type.inc.h"

#define TYPE i32
#define S int32_t
#define A int32_t
#define V i32x16
#define WRAPPING_V u32x16
#define LOAD LOAD16(i32x16, p, 0)
#define ONE *p
#define NARROW x
#define LOWEST INT32_MIN
#define HIGHEST INT32_MAX
#define ALL -1
#define MAXIMUM PLAIN_MAX
#define MINIMUM PLAIN_MIN
#define BITWISE BITS
#include "reduce_type.inc.h"

#define TYPE i64
#define S int64_t
#define A int64_t
#define V i64x16
#define WRAPPING_V u64x16
#define LOAD LOAD16(i64x16, p, 0)
#define ONE *p
#define NARROW x
#define LOWEST INT64_MIN
#define HIGHEST INT64_MAX
#define ALL -1
#define MAXIMUM PLAIN_MAX
#define MINIMUM PLAIN_MIN
#define BITWISE BITS
#include "reduce_type.inc.h"

#define TYPE u8
#define S uint8_t
#define A uint32_t
#define V u32x16
#define WRAPPING_V u32x16
#define LOAD WIDENED(u8x16, u32x16)
#define ONE *p
#define NARROW (uint8_t)x
#define LOWEST 0
#define HIGHEST UINT8_MAX
#define ALL -1
#define MAXIMUM PLAIN_MAX
#define MINIMUM PLAIN_MIN
#define BITWISE BITS
#include "reduce_type.inc.h"

#define TYPE u16
#define S uint16_t
#define A uint32_t
#define V u32x16
#define WRAPPING_V u32x16
#define LOAD WIDENED(u16x16, u32x16)
#define ONE *p
#define NARROW (uint16_t)x
#define LOWEST 0
#define HIGHEST UINT16_MAX
#define ALL -1
#define MAXIMUM PLAIN_MAX
#define MINIMUM PLAIN_MIN
#define BITWISE BITS
#include "reduce_type.inc.h"

#define TYPE u32
#define S uint32_t
#define A uint32_t
#define V u32x16
#define WRAPPING_V u32x16
#define LOAD LOAD16(u32x16, p, 0)
#define ONE *p
#define NARROW x
#define LOWEST 0
#define HIGHEST UINT32_MAX
#define ALL -1
#define MAXIMUM PLAIN_MAX
#define MINIMUM PLAIN_MIN
#define BITWISE BITS
#include "reduce_type.inc.h"

#define TYPE u64
#define S uint64_t
#define A uint64_t
#define V u64x16
#define WRAPPING_V u64x16
#define LOAD LOAD16(u64x16, p, 0)
#define ONE *p
#define NARROW x
#define LOWEST 0
#define HIGHEST UINT64_MAX
#define ALL -1
#define MAXIMUM PLAIN_MAX
#define MINIMUM PLAIN_MIN
#define BITWISE BITS
#include "reduce_type.inc.h"

#define TYPE f16
#define S uint16_t
#define A float
#define V f32x16
#define WRAPPING_V f32x16
#define LOAD HALVES(spk_half_to_float)
#define ONE spk_half_to_float(*p)
#define NARROW spk_float_to_half(x)
#define LOWEST -INFINITY
#define HIGHEST INFINITY
#define ALL 0
#define MAXIMUM NAN_WINS_MAX
#define MINIMUM NAN_WINS_MIN
#define BITWISE NO_BITS
#include "reduce_type.inc.h"

#define TYPE bf16
#define S uint16_t
#define A float
#define V f32x16
#define WRAPPING_V f32x16
#define LOAD HALVES(spk_bfloat_to_float)
#define ONE spk_bfloat_to_float(*p)
#define NARROW spk_float_to_bfloat(x)
#define LOWEST -INFINITY
#define HIGHEST INFINITY
#define ALL 0
#define MAXIMUM NAN_WINS_MAX
#define MINIMUM NAN_WINS_MIN
#define BITWISE NO_BITS
#include "reduce_type.inc.h"

#define TYPE f32
#define S float
#define A float
#define V f32x16
#define WRAPPING_V f32x16
#define LOAD LOAD16(f32x16, p, 0)
#define ONE *p
#define NARROW x
#define LOWEST -INFINITY
#define HIGHEST INFINITY
#define ALL 0
#define MAXIMUM NAN_WINS_MAX
#define MINIMUM NAN_WINS_MIN
#define BITWISE NO_BITS
#include "reduce_type.inc.h"

#define TYPE f64
#define S double
#define A double
#define V f64x16
#define WRAPPING_V f64x16
#define LOAD LOAD16(f64x16, p, 0)
#define ONE *p
#define NARROW x
#define LOWEST -INFINITY
#define HIGHEST INFINITY
#define ALL 0
#define MAXIMUM NAN_WINS_MAX
#define MINIMUM NAN_WINS_MIN
#define BITWISE NO_BITS
#include "reduce_type.inc.h"

/// In the order of spk_dtype.
static void (*const reduce_tiles[13])(void *, int64_t) = {
    reduce_tile_b8, reduce_tile_i8,  reduce_tile_i16, reduce_tile_i32,  reduce_tile_i64, reduce_tile_u8,  reduce_tile_u16,
    reduce_tile_u32,  reduce_tile_u64, reduce_tile_f16, reduce_tile_bf16, reduce_tile_f32, reduce_tile_f64,
};
static void (*const combine_groups[13])(const reduce_run *) = {
    combine_groups_b8, combine_groups_i8,  combine_groups_i16, combine_groups_i32,  combine_groups_i64,
    combine_groups_u8,   combine_groups_u16, combine_groups_u32, combine_groups_u64,  combine_groups_f16,
    combine_groups_bf16, combine_groups_f32, combine_groups_f64,
};

// MARK: Extrema's places

/// First extremum or first NaN of each column. BEATS: whether x replaces the best so far.
#define PLACES(S, A, ONE)                                                                                              \
    {                                                                                                                  \
        const S *src = (const S *)run->src + o * reduce->count * inner;                                                \
        for (int64_t j = 0; j < inner; j++) {                                                                          \
            int32_t place = 0;                                                                                         \
            const S *p = src + j;                                                                                      \
            A best = reduce->count > 0 ? (A)(ONE) : (A)0;                                                              \
            for (int64_t r = 1; r < reduce->count && best == best; r++) {                                              \
                p += inner;                                                                                            \
                A x = (ONE);                                                                                           \
                if (x != x || (lowest ? x < best : x > best)) {                                                        \
                    best = x;                                                                                          \
                    place = (int32_t)r;                                                                                \
                }                                                                                                      \
            }                                                                                                          \
            dst[j] = place;                                                                                            \
        }                                                                                                              \
    }                                                                                                                  \
    break;

/// The place of the first extremum or NaN of a row of floats: the extremum first, then where it stands.
SPK_INLINE int32_t place_in_row(const bool lowest, const float *row, int64_t count, int64_t available) {
    const int kind = lowest ? SPK_REDUCE_MIN : SPK_REDUCE_MAX;
    const i32x16 lanes = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    float best = reduce_chunks_f32(kind, row, count, available);
    for (int64_t i = 0; i < count; i += 16) {
        int64_t some = count - i;
        f32x16 x = some >= 16 ? LOAD16(f32x16, row, i) : load_some_f32(kind, row + i, some, available - i >= 16);
        i32x16 place = ((x == best) | (x != x)) != 0 ? lanes : (i32x16)(16);
        int32_t first = __builtin_reduce_min(place);
        // Behind the row stand identities, which may equal the extremum.
        if (first < SPK_MIN(some, (int64_t)16)) { return (int32_t)i + first; }
    }
    return 0;
}

static void reduce_tile_places(void *context, int64_t tile) {
    const reduce_run *run = context;
    const spk_reduce *reduce = run->reduce;
    const bool lowest = reduce->reduction == SPK_REDUCE_ARGMIN;
    int64_t inner = reduce->inner, last = SPK_MIN((tile + 1) * run->outer_per_tile, reduce->outer);
    for (int64_t o = tile * run->outer_per_tile; o < last; o++) {
        int32_t *dst = (int32_t *)run->dst + o * inner;
        if (reduce->dtype == SPK_FLOAT32 && inner == 1) {
            int64_t at = o * reduce->count, available = reduce->outer * reduce->count - at;
            const float *row = (const float *)run->src + at;
            *dst = lowest ? place_in_row(true, row, reduce->count, available)
                          : place_in_row(false, row, reduce->count, available);
            continue;
        }
        switch (reduce->dtype) {
        case SPK_BOOL:
        case SPK_UINT8: PLACES(uint8_t, uint8_t, *p)
        case SPK_INT8: PLACES(int8_t, int8_t, *p)
        case SPK_INT16: PLACES(int16_t, int16_t, *p)
        case SPK_INT32: PLACES(int32_t, int32_t, *p)
        case SPK_INT64: PLACES(int64_t, int64_t, *p)
        case SPK_UINT16: PLACES(uint16_t, uint16_t, *p)
        case SPK_UINT32: PLACES(uint32_t, uint32_t, *p)
        case SPK_UINT64: PLACES(uint64_t, uint64_t, *p)
        case SPK_FLOAT16: PLACES(uint16_t, float, spk_half_to_float(*p))
        case SPK_BFLOAT16: PLACES(uint16_t, float, spk_bfloat_to_float(*p))
        case SPK_FLOAT32: PLACES(float, float, *p)
        default: PLACES(double, double, *p)
        }
    }
}

// MARK: Tiles

static void run_reduce(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_reduce *reduce = arguments;
    if (reduce->outer <= 0 || reduce->inner <= 0) { return; }
    bool places = reduce->reduction == SPK_REDUCE_ARGMAX || reduce->reduction == SPK_REDUCE_ARGMIN;
    reduce_run run = {
        .reduce = reduce,
        .src = spk_address(slots, reduce->src, reduce->src_offset, reduce->dtype),
        .dst = spk_address(slots, reduce->dst, reduce->dst_offset, places ? SPK_INT32 : reduce->dtype),
        .chunk = reduce->inner == 1 ? LANE_CHUNK : ROW_CHUNK,
        .column_blocks = 1,
        .outer_per_tile = reduce->outer,
    };
    int64_t each = SPK_MAX(reduce->count * reduce->inner, (int64_t)1), work = each * reduce->outer;
    bool parallel = pool != NULL && work >= REDUCE_PARALLEL_WORK;
    if (places) {
        if (parallel) { run.outer_per_tile = SPK_MAX(REDUCE_TILE_WORK / each, (int64_t)1); }
        spk_pool_run(pool, spk_ceil_div(reduce->outer, run.outer_per_tile), reduce_tile_places, &run);
        return;
    }
    run.chunks = spk_ceil_div(reduce->count, run.chunk);
    void (*tile)(void *, int64_t) = reduce_tiles[reduce->dtype];
    choose_groups(&run, 1);
    if (!parallel) {
        tile(&run, 0);
        return;
    }
    if (each <= 2 * REDUCE_TILE_WORK) {
        run.outer_per_tile = SPK_MAX(REDUCE_TILE_WORK / each, (int64_t)1);
    } else {
        // Few and long: columns apart, and groups of chunks, as many as there is room for partial results.
        run.outer_per_tile = 1;
        run.column_blocks = spk_ceil_div(reduce->inner, COLUMN_BLOCK);
        int64_t wanted = spk_ceil_div(work / REDUCE_TILE_WORK, reduce->outer * run.column_blocks);
        choose_groups(&run, SPK_MIN(wanted, SPK_REDUCE_PARTIALS / (reduce->outer * reduce->inner)));
        if (run.groups > 1) { run.partials = spk_get_scratch()->reduce_partials; }
    }
    int64_t outer_tiles = spk_ceil_div(reduce->outer, run.outer_per_tile);
    spk_pool_run(pool, outer_tiles * run.groups * run.column_blocks, tile, &run);
    if (run.partials != NULL) { combine_groups[reduce->dtype](&run); }
}
