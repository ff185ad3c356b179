// Matrix products by a micro-kernel that keeps a tile of C in registers and runs along k: every element of C is one
// chain of fused multiply-adds in the order of k, so tiling, threads and vector width do not show in the result.
// A is read in place by two strides, B if its columns are contiguous; else, and where strides of whole pages would make
// rows push each other out of the cache, they are packed first.
// Included once per instruction set, after fused.inc.h.

#if SPK_LEVEL_NUMBER == 2
enum { GEMM_ROWS = 14, GEMM_VECTORS = 2, GEMM_WIDE_ROWS = 6, GEMM_WIDE_VECTORS = 4 };
#elif SPK_LEVEL_NUMBER == 1
enum { GEMM_ROWS = 6, GEMM_VECTORS = 1, GEMM_WIDE_ROWS = 2, GEMM_WIDE_VECTORS = 2 };
#else
enum { GEMM_ROWS = 4, GEMM_VECTORS = 1, GEMM_WIDE_ROWS = 0, GEMM_WIDE_VECTORS = 1 };
#endif
enum {
    GEMM_DEPTH = SPK_PACKED_DEPTH,  // k per pass over a panel; C is stored and loaded again between passes, exactly
    GEMM_PACKED_COLUMNS = SPK_PACKED_COLUMNS,
    GEMM_PACKED_ROWS = SPK_PACKED_ROWS,
    GEMM_A_REUSE = 128,             // columns that make it worth to pack A
    GEMM_B_REUSE = 224,             // rows that make it worth to pack B though its columns are contiguous
    GEMM_PARALLEL_WORK = 100000,    // multiply-adds from which on threads help
    GEMM_TILE_WORK = 65536,
    GEMM_MOST_TILES = 64,
};

/// The first `count` (1...16) of sixteen floats; the others are 0 and their memory is not touched.
SPK_INLINE f32x16 load_partial(const float *source, int count) {
#if SPK_LEVEL_NUMBER == 2
    return (f32x16)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), source);
#elif SPK_LEVEL_NUMBER == 1
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256 low = _mm256_maskload_ps(source, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lanes));
    __m256 high = _mm256_maskload_ps(source + 8, _mm256_cmpgt_epi32(_mm256_set1_epi32(count - 8), lanes));
    return (f32x16)__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#else
    f32x16 result = (f32x16)(0.0f);
    for (int i = 0; i < count; i++) { result[i] = source[i]; }
    return result;
#endif
}

SPK_INLINE void store_partial(float *target, f32x16 value, int count) {
#if SPK_LEVEL_NUMBER == 2
    _mm512_mask_storeu_ps(target, (__mmask16)((1u << count) - 1), (__m512)value);
#else
    _Alignas(64) float values[16];
    memcpy(values, &value, 64);
    for (int i = 0; i < count; i++) { target[i] = values[i]; }
#endif
}

typedef struct {
    const float *a, *b, *init; // init may be NULL
    float *c;
    int64_t a_row, a_k, b_k, init_row, c_row, k;
    int64_t a_line, lines; // the chain goes on along A in `lines` more runs of k, each a_line behind the one before
    int tail;              // columns of the last vector
    const float *next_a;   // rows along k that come next
} micro_call;

typedef void (*micro_kernel)(const micro_call *);

/// C[rows x 16 vectors] = init + A[rows x k] * B[k x 16 vectors], k in one run or in several. The last vector may have fewer
/// columns (`partial`).
SPK_INLINE void micro(const int rows, const int vectors, const bool partial, const micro_call *call) {
    f32x16 sum[GEMM_ROWS][GEMM_WIDE_VECTORS > GEMM_VECTORS ? GEMM_WIDE_VECTORS : GEMM_VECTORS];
    const float *b = call->b;
    const int64_t a_row = call->a_row, a_k = call->a_k, b_k = call->b_k;
    const int tail = call->tail;
#define COLUMNS(v) (partial && (v) == vectors - 1)
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) { __builtin_prefetch(call->c + r * call->c_row + 16 * v, 1, 3); }
    }
    if (call->init != NULL) {
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            const float *init = call->init + r * call->init_row;
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) {
                sum[r][v] = COLUMNS(v) ? load_partial(init + 16 * v, tail) : LOAD16(f32x16, init, 16 * v);
            }
        }
    } else {
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) { sum[r][v] = (f32x16)(0.0f); }
        }
    }
    for (int64_t line = 0; line <= call->lines; line++) {
        const float *a = call->a + line * call->a_line;
        for (int64_t k = call->k; k > 0; k--) {
            if (call->next_a != NULL && (k & 15) == 0) {
                const float *next = call->next_a + (call->k - k);
#pragma clang loop unroll(full)
                for (int r = 0; r < rows; r++) { __builtin_prefetch(next + r * a_row, 0, 2); }
            }
            f32x16 column[GEMM_WIDE_VECTORS > GEMM_VECTORS ? GEMM_WIDE_VECTORS : GEMM_VECTORS];
#pragma clang loop unroll(full)
            for (int v = 0; v < vectors; v++) {
                column[v] = COLUMNS(v) ? load_partial(b + 16 * v, tail) : LOAD16(f32x16, b, 16 * v);
            }
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                f32x16 row = (f32x16)(a[r * a_row]);
#pragma clang loop unroll(full)
                for (int v = 0; v < vectors; v++) {
                    sum[r][v] = __builtin_elementwise_fma(row, column[v], sum[r][v]);
                }
            }
            a += a_k;
            b += b_k;
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        float *c = call->c + r * call->c_row;
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) {
            if (COLUMNS(v)) {
                store_partial(c + 16 * v, sum[r][v], tail);
            } else {
                STORE16(f32x16, c, 16 * v, sum[r][v]);
            }
        }
    }
#undef COLUMNS
}

#define MICRO(ROWS, VECTORS)                                                                                           \
    static void micro_##ROWS##_##VECTORS(const micro_call *call) { micro(ROWS, VECTORS, false, call); }                \
    static void micro_##ROWS##_##VECTORS##_partial(const micro_call *call) { micro(ROWS, VECTORS, true, call); }
#if SPK_LEVEL_NUMBER == 2
#define FOR_ROWS(X, V)                                                                                                 \
    X(1, V) X(2, V) X(3, V) X(4, V) X(5, V) X(6, V) X(7, V) X(8, V) X(9, V) X(10, V) X(11, V) X(12, V) X(13, V) X(14, V)
#define FOR_WIDE_ROWS(X, V) X(1, V) X(2, V) X(3, V) X(4, V) X(5, V) X(6, V)
FOR_ROWS(MICRO, 1)
FOR_ROWS(MICRO, 2)
FOR_WIDE_ROWS(MICRO, 4)
#elif SPK_LEVEL_NUMBER == 1
#define FOR_ROWS(X, V) X(1, V) X(2, V) X(3, V) X(4, V) X(5, V) X(6, V)
#define FOR_WIDE_ROWS(X, V) X(1, V) X(2, V)
FOR_ROWS(MICRO, 1)
FOR_WIDE_ROWS(MICRO, 2)
#else
#define FOR_ROWS(X, V) X(1, V) X(2, V) X(3, V) X(4, V)
FOR_ROWS(MICRO, 1)
#endif
#define ENTRY(ROWS, VECTORS) [ROWS] = micro_##ROWS##_##VECTORS,
#define PARTIAL_ENTRY(ROWS, VECTORS) [ROWS] = micro_##ROWS##_##VECTORS##_partial,

/// [vectors][partial][rows]
static const micro_kernel micro_kernels[5][2][GEMM_ROWS + 1] = {
    [1] = {{FOR_ROWS(ENTRY, 1)}, {FOR_ROWS(PARTIAL_ENTRY, 1)}},
#if SPK_LEVEL_NUMBER == 2
    [2] = {{FOR_ROWS(ENTRY, 2)}, {FOR_ROWS(PARTIAL_ENTRY, 2)}},
    [4] = {{FOR_WIDE_ROWS(ENTRY, 4)}, {FOR_WIDE_ROWS(PARTIAL_ENTRY, 4)}},
#elif SPK_LEVEL_NUMBER == 1
    [2] = {{FOR_WIDE_ROWS(ENTRY, 2)}, {FOR_WIDE_ROWS(PARTIAL_ENTRY, 2)}},
#endif
};

// MARK: Packing

/// Sixteen vectors as a matrix, transposed in place.
SPK_INLINE void transpose_16x16(f32x16 row[16]) {
#define EXCHANGE_PAIR(DISTANCE, FIRST, SECOND)                                                                         \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < 16; i++) {                                                  \
        if ((i & DISTANCE) == 0) {                                                                                     \
            f32x16 low = row[i], high = row[i + DISTANCE];                                                             \
            row[i] = __builtin_shufflevector(low, high, FIRST);                                                        \
            row[i + DISTANCE] = __builtin_shufflevector(low, high, SECOND);                                            \
        }                                                                                                              \
    }
#define LIST(...) __VA_ARGS__
    EXCHANGE_PAIR(8, LIST(0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
        LIST(8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31))
    EXCHANGE_PAIR(4, LIST(0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27),
        LIST(4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31))
    EXCHANGE_PAIR(2, LIST(0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29),
        LIST(2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31))
    EXCHANGE_PAIR(1, LIST(0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30),
        LIST(1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31))
#undef LIST
#undef EXCHANGE_PAIR
}

/// A panel of B: [depth x width], zero behind the last column.
static void pack_panel(
    float *panel, const float *b, int64_t b_k, int64_t b_column, int64_t depth, int64_t columns, int64_t width) {
    for (int64_t j = 0; j < width; j += 16) {
        int present = (int)SPK_MAX(SPK_MIN(columns - j, (int64_t)16), (int64_t)0);
        const float *source = b + j * b_column;
        float *target = panel + j;
        int64_t k = 0;
        if (b_column == 1) {
            for (; k < depth; k++) {
                STORE16(f32x16, target, k * width, load_partial(source + k * b_k, present));
            }
        } else if (b_k == 1) {
            for (; k + 16 <= depth; k += 16) {
                f32x16 block[16];
                for (int c = 0; c < 16; c++) {
                    block[c] = c < present ? LOAD16(f32x16, source, c * b_column + k) : (f32x16)(0.0f);
                }
                transpose_16x16(block);
                for (int r = 0; r < 16; r++) { STORE16(f32x16, target, (k + r) * width, block[r]); }
            }
        }
        for (; k < depth; k++) {
            for (int c = 0; c < 16; c++) {
                target[k * width + c] = c < present ? source[k * b_k + c * b_column] : 0.0f;
            }
        }
    }
}

/// Rows of A, contiguous along k or along the rows, with a stride that spreads over the first cache.
static void pack_rows(float *packed, const float *a, int64_t a_row, int64_t a_k, int64_t rows, int64_t depth) {
    if (a_k == 1) {
        for (int64_t r = 0; r < rows; r++) {
            memcpy(packed + r * (GEMM_DEPTH + 16), a + r * a_row, (size_t)depth * sizeof(float));
        }
    } else {
        for (int64_t k = 0; k < depth; k++) {
            memcpy(packed + k * GEMM_PACKED_ROWS, a + k * a_k, (size_t)rows * sizeof(float));
        }
    }
}

// MARK: Tiles

typedef struct {
    const float *a, *b, *init; // of this batch element
    float *c;
    int64_t a_row, a_k, b_k, b_column, init_row, c_row, k;
    bool b_in_panels; // see spk_gemm; then b_k and b_column do not matter
} gemm_matrices;

/// How many vectors wide the next panel is, of `left` columns.
SPK_INLINE int panel_vectors(int64_t left, bool wide) {
    if (wide && left > 16 * (GEMM_WIDE_VECTORS - 1)) { return GEMM_WIDE_VECTORS; }
    return left > 16 * (GEMM_VECTORS - 1) ? GEMM_VECTORS : 1;
}

/// One pass over k: rows of C from `row` on, all columns of the block. `b` is the block's packed panels, or NULL.
static void gemm_pass(
    const gemm_matrices *matrices, const float *a, int64_t a_row, int64_t a_k, const float *packed, int64_t first,
    int64_t depth, int64_t row, int64_t rows, int64_t column, int64_t columns, bool wide) {
    // Rows are split evenly: 32 as 11 + 11 + 10 and not as 14 + 14 + 4.
    int64_t groups = spk_ceil_div(rows, GEMM_ROWS), group = rows / groups, larger = rows % groups;
    micro_call call = {.a_row = a_row, .a_k = a_k, .c_row = matrices->c_row, .k = depth};
    for (int64_t end = column + columns; column < end;) {
        int vectors = panel_vectors(end - column, wide);
        int64_t width = 16 * vectors, present = SPK_MIN(end - column, width);
        if (packed != NULL) {
            call.b = packed;
            call.b_k = width;
            packed += depth * width;
        } else if (matrices->b_in_panels) {
            int64_t within = column % SPK_PANEL_COLUMNS;
            call.b = matrices->b + (column - within) * matrices->k + first * SPK_PANEL_COLUMNS + within;
            call.b_k = SPK_PANEL_COLUMNS;
        } else {
            call.b = matrices->b + first * matrices->b_k + column;
            call.b_k = matrices->b_k;
        }
        call.tail = (int)(present - (width - 16));
        const micro_kernel *kernels = micro_kernels[vectors][present < width];
        int64_t r = 0;
        for (int64_t g = 0; g < groups; g++) {
            int64_t size = group + (g < larger);
            call.a = a + r * a_row;
            call.c = matrices->c + (row + r) * matrices->c_row + column;
            if (first > 0) {
                call.init = call.c;
                call.init_row = matrices->c_row;
            } else {
                call.init =
                    matrices->init == NULL ? NULL : matrices->init + (row + r) * matrices->init_row + column;
                call.init_row = matrices->init_row;
            }
            call.next_a = a_k == 1 && g + 1 < groups ? call.a + size * a_row : NULL;
            kernels[size](&call);
            r += size;
        }
        column += present;
    }
}

/// Rows x columns of C from (row, column) on.
static void gemm_block(
    const gemm_matrices *matrices, int64_t row, int64_t rows, int64_t column, int64_t columns) {
    int64_t a_row = matrices->a_row, a_k = matrices->a_k;
    bool wide = rows <= GEMM_WIDE_ROWS && !matrices->b_in_panels;
    // Strides of pages let the rows of A push each other out of the first cache (and out of the TLB).
    bool packs_a = columns >= GEMM_A_REUSE && rows >= GEMM_ROWS &&
        ((a_k == 1 && a_row % 512 == 0 && matrices->k >= 32) || (a_row == 1 && a_k >= 512));
    bool packs_b = !matrices->b_in_panels &&
        ((matrices->b_column != 1 && columns > 1) || (matrices->b_k % 1024 == 0 && rows >= GEMM_B_REUSE));
    spk_scratch *scratch = packs_a || packs_b ? spk_get_scratch() : NULL;
    const float *panels = packs_b ? scratch->packed_b : NULL;
    int64_t block_columns = packs_b ? GEMM_PACKED_COLUMNS : matrices->b_in_panels ? SPK_PANEL_COLUMNS : columns;
    int64_t block_rows = packs_a ? GEMM_PACKED_ROWS : rows;
    for (int64_t end = column + columns; column < end; column += block_columns) {
        int64_t width = SPK_MIN(block_columns, end - column);
        for (int64_t first = 0; first == 0 || first < matrices->k; first += GEMM_DEPTH) {
            int64_t depth = SPK_MIN(matrices->k - first, (int64_t)GEMM_DEPTH);
            if (packs_b) {
                float *panel = scratch->packed_b;
                const float *b = matrices->b + first * matrices->b_k;
                for (int64_t j = 0; j < width;) {
                    int64_t panel_width = 16 * panel_vectors(width - j, wide);
                    pack_panel(
                        panel, b + (column + j) * matrices->b_column, matrices->b_k, matrices->b_column, depth,
                        SPK_MIN(width - j, panel_width), panel_width);
                    panel += depth * panel_width;
                    j += panel_width;
                }
            }
            for (int64_t r = row; r < row + rows; r += block_rows) {
                int64_t height = SPK_MIN(block_rows, row + rows - r);
                const float *a = matrices->a + r * a_row + first * a_k;
                if (packs_a) {
                    pack_rows(scratch->packed_a, a, a_row, a_k, height, depth);
                    bool along_k = a_k == 1;
                    gemm_pass(
                        matrices, scratch->packed_a, along_k ? GEMM_DEPTH + 16 : 1, along_k ? 1 : GEMM_PACKED_ROWS,
                        panels, first, depth, r, height, column, width, wide);
                } else {
                    gemm_pass(
                        matrices, a, a_row, a_k, panels, first, depth, r, height, column, width, wide);
                }
            }
        }
    }
}

// MARK: The elementwise work behind a product

/// An epilogue over tiles of one size.
typedef struct {
    fused_run fused; // operands are replaced for each tile
    int64_t rows, columns, product_row;
    bool by_rows; // each row is an iteration space of its own
} gemm_epilogue;

/// The stride between rows of a product that is kept for its epilogue only: not a multiple of pages.
SPK_INLINE int64_t product_stride(int64_t columns) { return columns % 512 == 0 ? columns + 16 : columns; }

/// `base` holds the operands over the whole product.
static void prepare_epilogue(
    gemm_epilogue *epilogue, fused_operand *operands, const fused_run *base, int product, int64_t rows,
    int64_t columns, int64_t product_row) {
    enum { SHORT_ROW = 96 };
    int count = base->plan->operand_count;
    memcpy(operands, base->operands, (size_t)count * sizeof(fused_operand));
    *epilogue = (gemm_epilogue){.fused = *base, .rows = rows, .columns = columns, .product_row = product_row};
    fused_run *run = &epilogue->fused;
    run->operands = operands;
    bool is_one_run = true;
    for (int o = 0; o < count; o++) {
        operands[o].strides[0] = o == product ? product_row : operands[o].strides[1];
        operands[o].strides[1] = o == product ? 1 : operands[o].strides[2];
        is_one_run = is_one_run && operands[o].strides[0] == columns * operands[o].strides[1];
    }
    epilogue->by_rows = !is_one_run && columns >= SHORT_ROW;
    run->rank = 2;
    run->dims[0] = epilogue->by_rows ? 1 : rows;
    run->dims[1] = columns;
    prepare_fused(run);
}

/// Runs the epilogue on a tile of the product.
static void run_epilogue(
    const gemm_epilogue *epilogue, const fused_run *base, int product, float *tile, int64_t batch, int64_t row,
    int64_t column) {
    int count = base->plan->operand_count;
    fused_operand operands[SPK_MAX(count, 1)];
    memcpy(operands, epilogue->fused.operands, (size_t)count * sizeof(fused_operand));
    for (int o = 0; o < count; o++) {
        const fused_operand *whole = &base->operands[o];
        operands[o].base = o == product
            ? (char *)tile
            : whole->base +
                (batch * whole->strides[0] + row * whole->strides[1] + column * whole->strides[2]) * whole->size;
    }
    fused_run run = epilogue->fused;
    run.operands = operands;
    spk_scratch *scratch = spk_get_scratch();
    int64_t rows = epilogue->by_rows ? epilogue->rows : 1;
    int64_t length = epilogue->by_rows ? epilogue->columns : epilogue->rows * epilogue->columns;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t start = 0; start < length; start += BLOCK) {
            run_block(&run, scratch, start, SPK_MIN((int64_t)BLOCK, length - start));
        }
        for (int o = 0; o < count; o++) {
            int64_t stride = o == product ? epilogue->product_row : base->operands[o].strides[1];
            operands[o].base += stride * operands[o].size;
        }
    }
}

/// Whether an epilogue runs as machine code.
SPK_INLINE bool runs_code(const spk_fused *plan) { return SPK_LEVEL_NUMBER == 2 && plan->code != NULL; }

/// Runs the epilogue's machine code on a tile of the product.
static void run_epilogue_code(
    const fused_run *base, int product, float *tile, int64_t product_row, int64_t batch, int64_t row, int64_t column,
    int64_t rows, int64_t columns) {
    int count = base->plan->operand_count;
    SPK_CODE_FRAME(frame, count);
    frame->rows = rows;
    frame->columns = columns;
    for (int o = 0; o < count; o++) {
        const fused_operand *whole = &base->operands[o];
        bool is_product = o == product;
        frame->operands[o].base = is_product
            ? (char *)tile
            : whole->base +
                (batch * whole->strides[0] + row * whole->strides[1] + column * whole->strides[2]) * whole->size;
        frame->operands[o].row_bytes = (is_product ? product_row : whole->strides[1]) * whole->size;
    }
    base->plan->code(frame);
}

// MARK: Whole products

typedef struct {
    const spk_gemm *gemm;
    const float *a, *b, *init;
    float *c;
    int64_t batches_per_tile, row_tiles, column_tiles, tile_rows, tile_columns;
    const fused_run *fused; // the epilogue's operands over the whole product, or NULL
    const gemm_epilogue *epilogue; // for tiles of full size
} gemm_run;

/// Where an operand's matrix of a batch element begins.
SPK_INLINE int64_t batch_offset(const spk_gemm *gemm, const spk_operand *operand, int64_t batch) {
    if (gemm->batch_inner <= 1) { return batch * operand->strides[0]; }
    return batch / gemm->batch_inner * operand->strides[0] + batch % gemm->batch_inner * operand->strides[3];
}

static void run_gemm_tile(void *context, int64_t tile) {
    const gemm_run *run = context;
    const spk_gemm *gemm = run->gemm;
    int64_t per_batch = run->row_tiles * run->column_tiles;
    int64_t first = tile / per_batch * run->batches_per_tile;
    int64_t last = SPK_MIN(first + run->batches_per_tile, gemm->batch);
    int64_t within = tile % per_batch;
    int64_t row = within % run->row_tiles * run->tile_rows, column = within / run->row_tiles * run->tile_columns;
    int64_t rows = SPK_MIN(run->tile_rows, gemm->m - row), columns = SPK_MIN(run->tile_columns, gemm->n - column);
    if (rows <= 0 || columns <= 0) { return; }
    bool keeps = gemm->c.slot >= 0;
    for (int64_t batch = first; batch < last; batch++) {
        gemm_matrices matrices = {
            .a = run->a + batch_offset(gemm, &gemm->a, batch),
            .b = run->b + batch_offset(gemm, &gemm->b, batch),
            .init = run->init,
            .c = keeps ? run->c + batch_offset(gemm, &gemm->c, batch) : spk_get_scratch()->product,
            .a_row = gemm->a.strides[1],
            .a_k = gemm->a.strides[2],
            .b_k = gemm->b.strides[1],
            .b_column = gemm->b.strides[2],
            .c_row = gemm->c.strides[1],
            .k = gemm->k,
            .b_in_panels = gemm->b_in_panels,
        };
        float *product = matrices.c;
        if (!keeps) {
            // The tile is a matrix of its own.
            matrices.c_row = product_stride(columns);
            matrices.a += row * matrices.a_row;
            matrices.b += column * (gemm->b_in_panels ? gemm->k : matrices.b_column);
            gemm_block(&matrices, 0, rows, 0, columns);
        } else {
            if (run->init != NULL) {
                matrices.init += batch * gemm->init.strides[0];
                matrices.init_row = gemm->init.strides[1];
                if (gemm->init.strides[2] != 1) {
                    // Columns that are not contiguous (a bias per row): put in place first.
                    for (int64_t r = row; r < row + rows; r++) {
                        for (int64_t j = column; j < column + columns; j++) {
                            matrices.c[r * matrices.c_row + j] =
                                matrices.init[r * matrices.init_row + j * gemm->init.strides[2]];
                        }
                    }
                    matrices.init = matrices.c;
                    matrices.init_row = matrices.c_row;
                }
            }
            gemm_block(&matrices, row, rows, column, columns);
            product += row * matrices.c_row + column;
        }
        if (run->fused == NULL) { continue; }
        if (runs_code(run->fused->plan)) {
            run_epilogue_code(
                run->fused, gemm->product, product, matrices.c_row, batch, row, column, rows, columns);
            continue;
        }
        if (rows == run->epilogue->rows && columns == run->epilogue->columns) {
            run_epilogue(run->epilogue, run->fused, gemm->product, product, batch, row, column);
        } else {
            // At the edges of the product.
            fused_operand operands[SPK_MAX(run->fused->plan->operand_count, 1)];
            gemm_epilogue edge;
            prepare_epilogue(&edge, operands, run->fused, gemm->product, rows, columns, matrices.c_row);
            run_epilogue(&edge, run->fused, gemm->product, product, batch, row, column);
        }
    }
}

/// Tiles by shape alone: a product with an epilogue is cut so that a tile stays in the cache until that has run.
static void cut_for_epilogue(gemm_run *run, double work, bool packs) {
    // Narrower tiles of few rows read the epilogue's operands in pieces that no prefetcher follows.
    enum { MOST_COLUMNS = 512, PACKED_ROWS = 256, FEW_ROWS = 64, LEAST_COLUMNS = 128 };
    const spk_gemm *gemm = run->gemm;
    int64_t wanted = work < GEMM_PARALLEL_WORK
        ? 1
        : SPK_MAX((int64_t)SPK_MIN(work / GEMM_TILE_WORK, (double)GEMM_MOST_TILES), (int64_t)2);
    int64_t area = SPK_MIN((int64_t)SPK_PRODUCT_TILE, spk_ceil_div(gemm->m * gemm->n * gemm->batch, wanted));
    int64_t rows = SPK_MIN(gemm->m, (int64_t)PACKED_ROWS), columns = SPK_MIN(gemm->n, (int64_t)MOST_COLUMNS);
    if (packs) {
        columns = SPK_MAX(area / rows / 32 * 32, rows <= FEW_ROWS ? (int64_t)LEAST_COLUMNS : (int64_t)32);
    } else {
        rows = SPK_MAX(area / columns, SPK_MIN((int64_t)GEMM_ROWS, (int64_t)SPK_PRODUCT_TILE / columns));
        if (rows >= gemm->m) { columns = SPK_MAX(area / gemm->m / 32 * 32, (int64_t)32); }
    }
    run->tile_rows = SPK_MIN(rows, gemm->m);
    run->tile_columns = SPK_MIN(columns, gemm->n);
    if (run->tile_rows < gemm->m && run->tile_rows > GEMM_ROWS) {
        // Tiles of even height.
        run->tile_rows = spk_ceil_div(gemm->m, spk_ceil_div(gemm->m, run->tile_rows));
    }
    run->row_tiles = spk_ceil_div(gemm->m, run->tile_rows);
    run->column_tiles = spk_ceil_div(gemm->n, run->tile_columns);
}

static void cut(gemm_run *run, double work, bool packs) {
    const spk_gemm *gemm = run->gemm;
    // Whole batch elements if there are enough of them; else rows, or columns where B is packed (so that each panel is
    // packed once).
    int64_t wanted = (int64_t)SPK_MIN(work / GEMM_TILE_WORK, (double)GEMM_MOST_TILES);
    wanted = SPK_MAX(wanted, (int64_t)2);
    if (gemm->batch >= wanted) {
        run->batches_per_tile = spk_ceil_div(gemm->batch, wanted);
        return;
    }
    wanted = spk_ceil_div(wanted, gemm->batch);
    int64_t most_rows = spk_ceil_div(gemm->m, packs ? 8 * GEMM_ROWS : GEMM_ROWS);
    int64_t most_columns = spk_ceil_div(gemm->n, 32);
    if (packs) {
        run->column_tiles = SPK_MIN(wanted, most_columns);
        run->row_tiles = SPK_MIN(spk_ceil_div(wanted, run->column_tiles), most_rows);
    } else {
        run->row_tiles = SPK_MIN(wanted, most_rows);
        run->column_tiles = SPK_MIN(spk_ceil_div(wanted, run->row_tiles), most_columns);
    }
    run->tile_rows = spk_ceil_div(gemm->m, run->row_tiles);
    run->tile_columns = spk_ceil_div(spk_ceil_div(gemm->n, run->column_tiles), 32) * 32;
    run->row_tiles = spk_ceil_div(gemm->m, run->tile_rows);
    run->column_tiles = spk_ceil_div(gemm->n, run->tile_columns);
}

static void run_gemm(const void *arguments, void *const *slots, spk_pool *pool) {
    enum { FLAT_ROWS = 64 };
    const spk_gemm *gemm = arguments;
    if (gemm->batch <= 0 || gemm->m <= 0 || gemm->n <= 0) { return; }
    gemm_run run = {
        .gemm = gemm,
        .a = (const float *)slots[gemm->a.slot] + gemm->a.offset,
        .b = (const float *)slots[gemm->b.slot] + gemm->b.offset,
        .init = gemm->init.slot < 0 ? NULL : (const float *)slots[gemm->init.slot] + gemm->init.offset,
        .c = gemm->c.slot < 0 ? NULL : (float *)slots[gemm->c.slot] + gemm->c.offset,
        .batches_per_tile = 1,
        .row_tiles = 1,
        .column_tiles = 1,
        .tile_rows = gemm->m,
        .tile_columns = gemm->n,
    };
    // Few rows by many columns: cut along these, so that each part of B is read once.
    bool is_flat = gemm->batch == 1 && gemm->m <= FLAT_ROWS && gemm->n >= 8 * gemm->m;
    bool packs = gemm->b_in_panels || is_flat || (gemm->b.strides[2] != 1 && gemm->n > 1);
    double each = (double)gemm->m * (double)gemm->n * (double)SPK_MAX(gemm->k, (int64_t)1);
    double work = each * (double)gemm->batch;
    const spk_fused *plan = gemm->epilogue;
    fused_operand whole[SPK_MAX(plan == NULL ? 1 : plan->operand_count, 1)];
    fused_operand operands[SPK_MAX(plan == NULL ? 1 : plan->operand_count, 1)];
    fused_run fused;
    gemm_epilogue epilogue;
    if (plan != NULL) {
        cut_for_epilogue(&run, work, packs);
        resolve_fused(&fused, plan, whole, slots);
        if (!runs_code(plan)) {
            prepare_epilogue(
                &epilogue, operands, &fused, gemm->product, run.tile_rows, run.tile_columns,
                gemm->c.slot < 0 ? product_stride(run.tile_columns) : gemm->c.strides[1]);
        }
        run.fused = &fused;
        run.epilogue = &epilogue;
    } else if (pool == NULL || work < GEMM_PARALLEL_WORK) {
        run.batches_per_tile = gemm->batch;
    } else {
        cut(&run, work, packs);
    }
    int64_t batch_tiles = spk_ceil_div(gemm->batch, run.batches_per_tile);
    spk_pool_run(
        work < GEMM_PARALLEL_WORK ? NULL : pool, batch_tiles * run.row_tiles * run.column_tiles, run_gemm_tile, &run);
}

// MARK: The other element types

typedef struct {
    const spk_matmul_plain *matmul;
    char *a, *b, *c;
} matmul_run;

/// One row of C at a time, k outside and columns inside: each element in the order of k.
#define PLAIN_ROW(T, ACCUMULATE)                                                                                       \
    {                                                                                                                  \
        const T *a = (const T *)run->a + batch * sa[0] + row * sa[1], *b = (const T *)run->b + batch * sb[0];          \
        T *c = (T *)run->c + batch * sc[0] + row * sc[1];                                                              \
        for (int64_t j = 0; j < matmul->n; j++) { c[j * sc[2]] = 0; }                                                  \
        for (int64_t k = 0; k < matmul->k; k++) {                                                                      \
            const T x = a[k * sa[2]];                                                                                  \
            const T *line = b + k * sb[1];                                                                             \
            if (sb[2] == 1 && sc[2] == 1) {                                                                            \
                for (int64_t j = 0; j < matmul->n; j++) {                                                              \
                    const T y = line[j], z = c[j];                                                                     \
                    c[j] = (ACCUMULATE);                                                                               \
                }                                                                                                      \
            } else {                                                                                                   \
                for (int64_t j = 0; j < matmul->n; j++) {                                                              \
                    const T y = line[j * sb[2]], z = c[j * sc[2]];                                                     \
                    c[j * sc[2]] = (ACCUMULATE);                                                                       \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    break;

static void run_matmul_row(void *context, int64_t tile) {
    const matmul_run *run = context;
    const spk_matmul_plain *matmul = run->matmul;
    const int64_t *sa = matmul->a.strides, *sb = matmul->b.strides, *sc = matmul->c.strides;
    int64_t batch = tile / matmul->m, row = tile % matmul->m;
    switch (matmul->a.dtype) {
    case SPK_BOOL: PLAIN_ROW(uint8_t, z | (x & y))
    case SPK_INT8:
    case SPK_UINT8: PLAIN_ROW(uint8_t, (uint8_t)(z + x * y))
    case SPK_INT16:
    case SPK_UINT16: PLAIN_ROW(uint16_t, (uint16_t)(z + (uint32_t)x * y))
    case SPK_INT32:
    case SPK_UINT32: PLAIN_ROW(uint32_t, z + x * y)
    case SPK_INT64:
    case SPK_UINT64: PLAIN_ROW(uint64_t, z + x * y)
    case SPK_FLOAT32: PLAIN_ROW(float, __builtin_fmaf(x, y, z))
    case SPK_FLOAT64: PLAIN_ROW(double, __builtin_fma(x, y, z))
    default: break;
    }
}

// float64: a panel of 16 columns of B is packed, and a few rows of C at a time are kept in registers along it. The order of
// each element's sum is that of the plain loop.
#if SPK_LEVEL_NUMBER == 2
enum { F64_ROWS = 8 };
#define FOR_F64_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#else
enum { F64_ROWS = 2 };
#define FOR_F64_ROWS(X) X(1) X(2)
#endif
enum {
    F64_DEPTH = 256,     // k per pass over a panel; C is stored and loaded again between passes, exactly
    F64_TILE_ROWS = 128, // rows that share a packed panel
};

typedef struct {
    const double *a, *panel;
    double *c;
    int64_t a_row, a_k, c_row, k;
    int columns;
    bool continues; // on what earlier passes left in C
} f64_call;

SPK_INLINE void f64_micro(const int rows, const f64_call *call) {
    f64x16 sum[F64_ROWS];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
        sum[r] = (f64x16)(0.0);
        if (call->continues) {
            for (int j = 0; j < call->columns; j++) { sum[r][j] = call->c[r * call->c_row + j]; }
        }
    }
    for (int64_t k = 0; k < call->k; k++) {
        f64x16 column = LOAD16(f64x16, call->panel, 16 * k);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            f64x16 row = (f64x16)(call->a[r * call->a_row + k * call->a_k]);
            sum[r] = __builtin_elementwise_fma(row, column, sum[r]);
        }
    }
    for (int r = 0; r < rows; r++) {
        _Alignas(64) double values[16];
        memcpy(values, &sum[r], sizeof values);
        memcpy(call->c + r * call->c_row, values, (size_t)call->columns * sizeof(double));
    }
}

#define F64_MICRO(ROWS) static void f64_micro_##ROWS(const f64_call *call) { f64_micro(ROWS, call); }
#define F64_ENTRY(ROWS) [ROWS] = f64_micro_##ROWS,
FOR_F64_ROWS(F64_MICRO)
static void (*const f64_micros[F64_ROWS + 1])(const f64_call *) = {FOR_F64_ROWS(F64_ENTRY)};

/// One panel of columns of one tile of rows.
static void run_f64_tile(void *context, int64_t tile) {
    const matmul_run *run = context;
    const spk_matmul_plain *matmul = run->matmul;
    const int64_t *sa = matmul->a.strides, *sb = matmul->b.strides, *sc = matmul->c.strides;
    int64_t panels = spk_ceil_div(matmul->n, 16), row_tiles = spk_ceil_div(matmul->m, F64_TILE_ROWS);
    int64_t batch = tile / (panels * row_tiles), first = tile / panels % row_tiles * F64_TILE_ROWS;
    int64_t column = tile % panels * 16, last = SPK_MIN(first + F64_TILE_ROWS, matmul->m);
    const double *a = (const double *)run->a + batch * sa[0];
    const double *b = (const double *)run->b + batch * sb[0] + column * sb[2];
    double *c = (double *)run->c + batch * sc[0] + column;
    int columns = (int)SPK_MIN(matmul->n - column, (int64_t)16);
    _Alignas(64) double panel[F64_DEPTH * 16];
    for (int64_t start = 0; start == 0 || start < matmul->k; start += F64_DEPTH) {
        int64_t depth = SPK_MIN(matmul->k - start, (int64_t)F64_DEPTH);
        for (int64_t k = 0; k < depth; k++) {
            const double *line = b + (start + k) * sb[1];
            for (int j = 0; j < columns; j++) { panel[16 * k + j] = line[j * sb[2]]; }
            for (int j = columns; j < 16; j++) { panel[16 * k + j] = 0; }
        }
        for (int64_t row = first; row < last; row += F64_ROWS) {
            f64_call call = {
                .a = a + row * sa[1] + start * sa[2],
                .panel = panel,
                .c = c + row * sc[1],
                .a_row = sa[1],
                .a_k = sa[2],
                .c_row = sc[1],
                .k = depth,
                .columns = columns,
                .continues = start > 0,
            };
            f64_micros[SPK_MIN(last - row, (int64_t)F64_ROWS)](&call);
        }
    }
}

static void run_matmul_plain(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_matmul_plain *matmul = arguments;
    if (matmul->batch <= 0 || matmul->m <= 0 || matmul->n <= 0) { return; }
    int32_t dtype = matmul->a.dtype;
    matmul_run run = {
        .matmul = matmul,
        .a = spk_address(slots, matmul->a.slot, matmul->a.offset, dtype),
        .b = spk_address(slots, matmul->b.slot, matmul->b.offset, dtype),
        .c = spk_address(slots, matmul->c.slot, matmul->c.offset, dtype),
    };
    double work = (double)matmul->m * (double)matmul->n * (double)matmul->k * (double)matmul->batch;
    if (work < GEMM_PARALLEL_WORK) { pool = NULL; }
    if (dtype == SPK_FLOAT64 && matmul->c.strides[2] == 1) {
        int64_t tiles = spk_ceil_div(matmul->n, 16) * spk_ceil_div(matmul->m, F64_TILE_ROWS);
        spk_pool_run(pool, matmul->batch * tiles, run_f64_tile, &run);
        return;
    }
    spk_pool_run(pool, matmul->batch * matmul->m, run_matmul_row, &run);
}
