// Reductions of one storage type; reduce.inc.h includes this once per type. It defines
// TYPE: the suffix of names. S: stored element. A, V: accumulator and its vector. WRAPPING_V: V, unsigned.
// LOAD: sixteen elements from pointer p on. ONE: element *p. NARROW: accumulator x as stored.
// LOWEST, HIGHEST, ALL: identities of MAX, MIN and AND. MAXIMUM, MINIMUM, BITWISE: how vectors combine.

#define R_JOIN(name, type) name##_##type
#define R_JOIN_EXPANDED(name, type) R_JOIN(name, type)
#define R(name) R_JOIN_EXPANDED(name, TYPE)

SPK_INLINE V R(combine)(const int kind, V a, V b) {
    switch (kind) {
    case SPK_REDUCE_SUM: return (V)((WRAPPING_V)a + (WRAPPING_V)b);
    case SPK_REDUCE_PROD: return (V)((WRAPPING_V)a * (WRAPPING_V)b);
    case SPK_REDUCE_MAX: return MAXIMUM(a, b);
    case SPK_REDUCE_MIN: return MINIMUM(a, b);
    case SPK_REDUCE_AND: return BITWISE(a, b, &);
    case SPK_REDUCE_OR: return BITWISE(a, b, |);
    default: return BITWISE(a, b, ^);
    }
}
SPK_INLINE A R(identity)(const int kind) {
    switch (kind) {
    case SPK_REDUCE_PROD: return (A)1;
    case SPK_REDUCE_MAX: return (A)(LOWEST);
    case SPK_REDUCE_MIN: return (A)(HIGHEST);
    case SPK_REDUCE_AND: return (A)(ALL);
    default: return (A)0;
    }
}
SPK_INLINE V R(load16)(const S *p) { return LOAD; }
// The first `count` of sixteen elements, the identity behind. `readable`: all sixteen lie inside the array.
SPK_INLINE V R(load_some)(const int kind, const S *p, int64_t count, bool readable) {
    V result = (V)(R(identity)(kind));
    if (readable) {
        const V places = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        return places < (V)((A)count) ? R(load16)(p) : result;
    }
    for (int64_t i = 0; i < count; i++, p++) { result[i] = (A)(ONE); }
    return result;
}
// `available`: elements of the array from src on.
SPK_INLINE A R(reduce_chunk)(const int kind, const S *src, int64_t count, int64_t available) {
    V sum = (V)(R(identity)(kind));
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) { sum = R(combine)(kind, sum, R(load16)(src + i)); }
    if (i < count) { sum = R(combine)(kind, sum, R(load_some)(kind, src + i, count - i, available - i >= 16)); }
    sum = R(combine)(kind, sum,
        __builtin_shufflevector(sum, sum, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
    sum = R(combine)(
        kind, sum, __builtin_shufflevector(sum, sum, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7));
    sum = R(combine)(
        kind, sum, __builtin_shufflevector(sum, sum, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3));
    sum = R(combine)(
        kind, sum, __builtin_shufflevector(sum, sum, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1));
    return sum[0];
}
SPK_INLINE A R(one)(const int kind, A a, A b) { return R(combine)(kind, (V)(a), (V)(b))[0]; }
// A tree grows as a binary counter: levels with a bit of `leaves` set are waiting for their right half.
SPK_INLINE A R(reduce_chunks)(const int kind, const S *src, int64_t count, int64_t available) {
    if (count <= LANE_CHUNK) { return R(reduce_chunk)(kind, src, count, available); }
    A waiting[MOST_LEVELS];
    uint64_t leaves = 0;
    for (int64_t i = 0; i < count; i += LANE_CHUNK, leaves++) {
        A sum = R(reduce_chunk)(kind, src + i, SPK_MIN(count - i, (int64_t)LANE_CHUNK), available - i);
        int level = 0;
        for (; (leaves >> level & 1) != 0; level++) { sum = R(one)(kind, waiting[level], sum); }
        waiting[level] = sum;
    }
    int level = __builtin_ctzll(leaves);
    A sum = waiting[level];
    for (level++; leaves >> level != 0; level++) {
        if ((leaves >> level & 1) != 0) { sum = R(one)(kind, waiting[level], sum); }
    }
    return sum;
}
// Rows of `vectors` x 16 columns, in order. `safe` rows may be read past their columns.
SPK_INLINE void R(reduce_rows)(const int kind, const int vectors, const S *src, int64_t rows, int64_t inner,
    int64_t safe, int64_t columns, A *result) {
    V sum[4];
    
#pragma clang loop unroll(full)
for (int v = 0; v < vectors; v++) {
        sum[v] = (V)(R(identity)(kind));
    }
    int64_t r = 0;
    for (; r < SPK_MIN(rows, safe); r++, src += inner) {
        
#pragma clang loop unroll(full)
for (int v = 0; v < vectors; v++) {
            sum[v] = R(combine)(kind, sum[v], R(load16)(src + 16 * v));
        }
    }
    for (; r < rows; r++, src += inner) {
        
#pragma clang loop unroll(full)
for (int v = 0; v < vectors; v++) {
            int64_t some = SPK_MIN(SPK_MAX(columns - 16 * v, (int64_t)0), (int64_t)16);
            sum[v] = R(combine)(kind, sum[v], R(load_some)(kind, src + 16 * v, some, false));
        }
    }
    
#pragma clang loop unroll(full)
for (int v = 0; v < vectors; v++) { STORE16(V, result, 16 * v, sum[v]); }
}
SPK_INLINE void R(reduce_row_chunks)(const int kind, const S *src, int64_t count, int64_t inner,
    int64_t columns, int64_t available, A *result) {
    A waiting[count > ROW_CHUNK ? 64 - __builtin_clzll((uint64_t)(count / ROW_CHUNK + 1)) : 1][COLUMN_BLOCK];
    uint64_t leaves = 0;
    for (int64_t i = 0; i < count; i += ROW_CHUNK, leaves++) {
        int64_t rows = SPK_MIN(count - i, (int64_t)ROW_CHUNK);
        int width = columns > 32 ? 64 : columns > 16 ? 32 : 16;
        // Rows whose `width` columns lie inside the array.
        int64_t reach = available - i * inner - width;
        int64_t safe = reach < 0 ? 0 : reach / inner + 1;
        const S *from = src + i * inner;
        if (width == 64) {
            R(reduce_rows)(kind, 4, from, rows, inner, safe, columns, result);
        } else if (width == 32) {
            R(reduce_rows)(kind, 2, from, rows, inner, safe, columns, result);
        } else {
            R(reduce_rows)(kind, 1, from, rows, inner, safe, columns, result);
        }
        if (count <= ROW_CHUNK) { return; }
        int level = 0;
        for (; (leaves >> level & 1) != 0; level++) {
            for (int64_t j = 0; j < columns; j++) {
                result[j] = R(one)(kind, waiting[level][j], result[j]);
            }
        }
        memcpy(waiting[level], result, (size_t)columns * sizeof(A));
    }
    if (leaves == 0) {
        for (int64_t j = 0; j < columns; j++) { result[j] = R(identity)(kind); }
        return;
    }
    int level = __builtin_ctzll(leaves);
    memcpy(result, waiting[level], (size_t)columns * sizeof(A));
    for (level++; leaves >> level != 0; level++) {
        if ((leaves >> level & 1) == 0) { continue; }
        for (int64_t j = 0; j < columns; j++) {
            result[j] = R(one)(kind, waiting[level][j], result[j]);
        }
    }
}
SPK_INLINE void R(reduce_tile_kind)(const int kind, const reduce_run *run, int64_t tile) {
    const spk_reduce *reduce = run->reduce;
    int64_t per_outer = run->groups * run->column_blocks, within = tile % per_outer;
    int64_t first = tile / per_outer * run->outer_per_tile;
    int64_t last = SPK_MIN(first + run->outer_per_tile, reduce->outer);
    int64_t group = within % run->groups, block = within / run->groups;
    int64_t begin = group * run->chunks_per_group * run->chunk;
    int64_t count = SPK_MIN(run->chunks_per_group * run->chunk, reduce->count - begin);
    const S *src = (const S *)run->src;
    for (int64_t o = first; o < last; o++) {
        if (reduce->inner == 1) {
            int64_t at = o * reduce->count + begin;
            A x = R(reduce_chunks)(kind, src + at, count, reduce->outer * reduce->count - at);
            if (run->partials != NULL) {
                ((A *)run->partials)[o * run->groups + group] = x;
            } else {
                ((S *)run->dst)[o] = NARROW;
            }
            continue;
        }
        int64_t blocks = run->groups == 1 && run->column_blocks == 1
            ? spk_ceil_div(reduce->inner, COLUMN_BLOCK)
            : 1;
        for (int64_t b = block; b < block + blocks; b++) {
            int64_t column = b * COLUMN_BLOCK;
            int64_t columns = SPK_MIN((int64_t)COLUMN_BLOCK, reduce->inner - column);
            int64_t at = (o * reduce->count + begin) * reduce->inner + column;
            int64_t available = reduce->outer * reduce->count * reduce->inner - at;
            A result[COLUMN_BLOCK];
            R(reduce_row_chunks)(kind, src + at, count, reduce->inner, columns, available, result);
            if (run->partials != NULL) {
                A *partials = (A *)run->partials + (o * run->groups + group) * reduce->inner + column;
                memcpy(partials, result, (size_t)columns * sizeof(A));
            } else {
                S *dst = (S *)run->dst + o * reduce->inner + column;
                for (int64_t j = 0; j < columns; j++) {
                    A x = result[j];
                    dst[j] = NARROW;
                }
            }
        }
    }
}
static void R(reduce_tile)(void *context, int64_t tile) {
    const reduce_run *run = context;
    switch (run->reduce->reduction) {
    case SPK_REDUCE_SUM: R(reduce_tile_kind)(SPK_REDUCE_SUM, run, tile); break;
    case SPK_REDUCE_PROD: R(reduce_tile_kind)(SPK_REDUCE_PROD, run, tile); break;
    case SPK_REDUCE_MAX: R(reduce_tile_kind)(SPK_REDUCE_MAX, run, tile); break;
    case SPK_REDUCE_MIN: R(reduce_tile_kind)(SPK_REDUCE_MIN, run, tile); break;
    case SPK_REDUCE_AND: R(reduce_tile_kind)(SPK_REDUCE_AND, run, tile); break;
    case SPK_REDUCE_OR: R(reduce_tile_kind)(SPK_REDUCE_OR, run, tile); break;
    default: R(reduce_tile_kind)(SPK_REDUCE_XOR, run, tile); break;
    }
}
// The tree above the groups, on the caller.
static void R(combine_groups)(const reduce_run *run) {
    const int kind = run->reduce->reduction;
    int64_t inner = run->reduce->inner;
    for (int64_t o = 0; o < run->reduce->outer; o++) {
        A *partials = (A *)run->partials + o * run->groups * inner;
        for (int64_t j = 0; j < inner; j++) {
            A waiting[MOST_LEVELS];
            uint64_t leaves = 0;
            for (int64_t g = 0; g < run->groups; g++, leaves++) {
                A sum = partials[g * inner + j];
                int level = 0;
                for (; (leaves >> level & 1) != 0; level++) { sum = R(one)(kind, waiting[level], sum); }
                waiting[level] = sum;
            }
            int level = __builtin_ctzll(leaves);
            A x = waiting[level];
            for (level++; leaves >> level != 0; level++) {
                if ((leaves >> level & 1) != 0) { x = R(one)(kind, waiting[level], x); }
            }
            ((S *)run->dst)[o * inner + j] = NARROW;
        }
    }
}

#undef R
#undef R_JOIN_EXPANDED
#undef R_JOIN
#undef TYPE
#undef S
#undef A
#undef V
#undef WRAPPING_V
#undef LOAD
#undef ONE
#undef NARROW
#undef LOWEST
#undef HIGHEST
#undef ALL
#undef MAXIMUM
#undef MINIMUM
#undef BITWISE
