// Strided copies: rows as they are where both sides are contiguous, square blocks where the fastest dimensions differ
// (transposition), plain loops otherwise. Included once per instruction set, after gemm.inc.h.

enum {
    COPY_BLOCK = 64,                // elements of the crossed dimension per unit of a transposition
    COPY_PARALLEL_BYTES = 256 << 10,
    COPY_TILE_BYTES = 64 << 10,
};

typedef struct {
    const char *src;
    char *dst;
    int size, rank;                 // of the dimensions outside of the unit
    int64_t dims[SPK_MAX_RANK], src_strides[SPK_MAX_RANK], dst_strides[SPK_MAX_RANK];
    // The unit: `rows` x `columns` elements. Columns are the last dimension.
    int64_t rows, columns, src_row, src_column, dst_row, dst_column;
    int64_t row_blocks, block_rows, units, units_per_tile;
} copy_run;

#define COPY_LOOP(T)                                                                                                   \
    {                                                                                                                  \
        const T *s = (const T *)src;                                                                                   \
        T *d = (T *)dst;                                                                                               \
        if (src_stride == 0) {                                                                                         \
            T value = *s;                                                                                              \
            if (dst_stride == 1) {                                                                                     \
                for (int64_t i = 0; i < count; i++) { d[i] = value; }                                                  \
            } else {                                                                                                   \
                for (int64_t i = 0; i < count; i++) { d[i * dst_stride] = value; }                                     \
            }                                                                                                          \
        } else if (dst_stride == 1) {                                                                                  \
            for (int64_t i = 0; i < count; i++) { d[i] = s[i * src_stride]; }                                          \
        } else {                                                                                                       \
            for (int64_t i = 0; i < count; i++) { d[i * dst_stride] = s[i * src_stride]; }                             \
        }                                                                                                              \
    }                                                                                                                  \
    break;

SPK_INLINE void copy_row(
    char *restrict dst, const char *restrict src, int64_t dst_stride, int64_t src_stride, int64_t count, int size) {
    if (dst_stride == 1 && src_stride == 1) {
        int64_t bytes = count * size;
        if (bytes > 256) {
            memcpy(dst, src, (size_t)bytes);
            return;
        }
        // Short rows are common (channels of an image patch): no call.
        int64_t i = 0;
        for (; i + 32 <= bytes; i += 32) { __builtin_memcpy(dst + i, src + i, 32); }
        for (; i + 8 <= bytes; i += 8) { __builtin_memcpy(dst + i, src + i, 8); }
        for (; i < bytes; i++) { dst[i] = src[i]; }
        return;
    }
    switch (size) {
    case 1: COPY_LOOP(uint8_t)
    case 2: COPY_LOOP(uint16_t)
    case 4: COPY_LOOP(uint32_t)
    default: COPY_LOOP(uint64_t)
    }
}

/// dst[r, c] = src[r, c] with dst contiguous along c and src along r.
static void transpose_block(
    char *dst, const char *src, int64_t rows, int64_t columns, int64_t dst_row, int64_t src_column, int size) {
    int64_t first_row = 0;
    if (size == 4) {
        int64_t whole_rows = rows & -16, whole_columns = columns & -16;
        for (int64_t column = 0; column < whole_columns; column += 16) {
            for (int64_t row = 0; row < whole_rows; row += 16) {
                const float *from = (const float *)src + row + column * src_column;
                float *to = (float *)dst + row * dst_row + column;
                f32x16 block[16];
#pragma clang loop unroll(full)
                for (int i = 0; i < 16; i++) { block[i] = LOAD16(f32x16, from, i * src_column); }
                transpose_16x16(block);
#pragma clang loop unroll(full)
                for (int i = 0; i < 16; i++) { STORE16(f32x16, to, i * dst_row, block[i]); }
            }
        }
        for (int64_t r = 0; r < whole_rows; r++) {
            for (int64_t c = whole_columns; c < columns; c++) {
                ((uint32_t *)dst)[r * dst_row + c] = ((const uint32_t *)src)[r + c * src_column];
            }
        }
        first_row = whole_rows;
    }
#define TRANSPOSE_LOOP(T)                                                                                              \
    for (int64_t c0 = 0; c0 < columns; c0 += 8) {                                                                      \
        for (int64_t r = first_row; r < rows; r++) {                                                                   \
            for (int64_t c = c0; c < SPK_MIN(c0 + 8, columns); c++) {                                                  \
                ((T *)dst)[r * dst_row + c] = ((const T *)src)[r + c * src_column];                                    \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    break;
    switch (size) {
    case 1: TRANSPOSE_LOOP(uint8_t)
    case 2: TRANSPOSE_LOOP(uint16_t)
    case 4: TRANSPOSE_LOOP(uint32_t)
    default: TRANSPOSE_LOOP(uint64_t)
    }
}

static void run_copy_tile(void *context, int64_t tile) {
    const copy_run *run = context;
    int64_t unit = tile * run->units_per_tile, end = SPK_MIN(unit + run->units_per_tile, run->units);
    int64_t index[SPK_MAX_RANK], rest = unit / run->row_blocks, block = unit % run->row_blocks;
    int64_t src_offset = 0, dst_offset = 0;
    for (int d = run->rank - 1; d >= 0; d--) {
        index[d] = rest % run->dims[d];
        rest /= run->dims[d];
        src_offset += index[d] * run->src_strides[d];
        dst_offset += index[d] * run->dst_strides[d];
    }
    for (; unit < end; unit++) {
        int64_t row = block * run->block_rows, rows = SPK_MIN(run->block_rows, run->rows - row);
        const char *src = run->src + (src_offset + row * run->src_row) * run->size;
        char *dst = run->dst + (dst_offset + row * run->dst_row) * run->size;
        if (run->src_row == 1 && run->src_column != 1 && run->dst_column == 1 && rows > 1) {
            transpose_block(dst, src, rows, run->columns, run->dst_row, run->src_column, run->size);
        } else {
            for (int64_t r = 0; r < rows; r++) {
                copy_row(dst, src, run->dst_column, run->src_column, run->columns, run->size);
                src += run->src_row * run->size;
                dst += run->dst_row * run->size;
            }
        }
        block += 1;
        if (block < run->row_blocks) { continue; }
        block = 0;
        for (int d = run->rank - 1; d >= 0; d--) {
            index[d] += 1;
            src_offset += run->src_strides[d];
            dst_offset += run->dst_strides[d];
            if (index[d] < run->dims[d]) { break; }
            src_offset -= index[d] * run->src_strides[d];
            dst_offset -= index[d] * run->dst_strides[d];
            index[d] = 0;
        }
    }
}

/// Takes dimension d out of the outer ones.
static void remove_dimension(copy_run *run, int d) {
    for (; d + 1 < run->rank; d++) {
        run->dims[d] = run->dims[d + 1];
        run->src_strides[d] = run->src_strides[d + 1];
        run->dst_strides[d] = run->dst_strides[d + 1];
    }
    run->rank -= 1;
}

static void run_copy(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_copy *copy = arguments;
    copy_run run = {
        .src = spk_address(slots, copy->src.slot, copy->src.offset, copy->src.dtype),
        .dst = spk_address(slots, copy->dst.slot, copy->dst.offset, copy->dst.dtype),
        .size = spk_element_size[copy->dst.dtype],
        .rows = 1,
        .columns = 1,
        .src_column = 1,
        .dst_column = 1,
        .row_blocks = 1,
        .block_rows = 1,
    };
    int64_t count = 1;
    for (int d = 0; d < copy->rank; d++) {
        int64_t size = copy->dims[d], from = copy->src.strides[d], to = copy->dst.strides[d];
        count *= size;
        if (size == 1) { continue; }
        int last = run.rank - 1;
        if (last >= 0 && run.src_strides[last] == from * size && run.dst_strides[last] == to * size) {
            run.dims[last] *= size;
            run.src_strides[last] = from;
            run.dst_strides[last] = to;
        } else {
            run.dims[run.rank] = size;
            run.src_strides[run.rank] = from;
            run.dst_strides[run.rank] = to;
            run.rank += 1;
        }
    }
    if (count == 0) { return; }
    if (run.rank > 0) {
        int last = run.rank - 1;
        run.columns = run.dims[last];
        run.src_column = run.src_strides[last];
        run.dst_column = run.dst_strides[last];
        run.rank -= 1;
        // Rows: the dimension along which the source is contiguous, or else the next one.
        int rows = run.rank - 1;
        if (run.src_column != 1) {
            for (int d = 0; d < run.rank; d++) {
                if (run.src_strides[d] == 1) { rows = d; }
            }
        }
        if (rows >= 0) {
            run.rows = run.dims[rows];
            run.src_row = run.src_strides[rows];
            run.dst_row = run.dst_strides[rows];
            remove_dimension(&run, rows);
        }
    }
    run.block_rows = SPK_MIN(run.rows, (int64_t)COPY_BLOCK);
    run.row_blocks = spk_ceil_div(run.rows, run.block_rows);
    run.units = run.row_blocks;
    for (int d = 0; d < run.rank; d++) { run.units *= run.dims[d]; }
    run.units_per_tile = run.units;
    if (pool == NULL || count * run.size < COPY_PARALLEL_BYTES) {
        run_copy_tile(&run, 0);
        return;
    }
    int64_t unit_bytes = SPK_MAX(run.block_rows * run.columns * run.size, (int64_t)1);
    run.units_per_tile = SPK_MAX(COPY_TILE_BYTES / unit_bytes, (int64_t)1);
    spk_pool_run(pool, spk_ceil_div(run.units, run.units_per_tile), run_copy_tile, &run);
}
