// The gradient of a kernel, read where it lies: the batch (the channels of what was convolved) is innermost in x, the chain goes
// along the pixels of all members, and pixels of the margins are left out. A part of conv.inc.h.

enum {
    GRADIENT_FLOATS = 6144,  // of both operands that a tile goes through at a time: they stay in the first cache
    GRADIENT_LEAST_ROWS = 16,
    GRADIENT_LEAST_TILES = 2, // each goes through all of one operand
    GRADIENT_MOST_TILES = 8,
    GRADIENT_LINES = SPK_LEVEL_NUMBER == 2 ? 3 : 1, // of the kernel that share what is read of x
};

typedef struct {
    const float *a, *b;
    float *c;
    int64_t a_k, a_line, b_k, b_line, c_row, c_line;
    int64_t k, lines;
    int64_t a_ahead, b_ahead; // how far ahead of a and b to ask for memory, or 0
} gradient_call;

typedef void (*gradient_kernel)(const gradient_call *);

/// `rows` channels times 16 `vectors` features of `kernel_lines` lines of the kernel, on top of what is there: `lines` runs of k
/// pixels. From one line of the kernel to the next, b goes back by one line.
SPK_INLINE void gradient_micro(const int rows, const int kernel_lines, const int vectors, const gradient_call *call) {
    enum { MOST = 3 };
    f32x16 sum[GEMM_ROWS][MOST], column[MOST];
    const int64_t a_k = call->a_k, b_k = call->b_k, b_line = call->b_line, a_ahead = call->a_ahead;
#define EACH_SUM(BODY)                                                                                                 \
    _Pragma("clang loop unroll(full)") for (int r = 0; r < rows; r++) {                                                \
        _Pragma("clang loop unroll(full)") for (int l = 0; l < kernel_lines; l++) {                                    \
            _Pragma("clang loop unroll(full)") for (int v = 0; v < vectors; v++) { BODY }                              \
        }                                                                                                              \
    }
    float *c = call->c;
    const int64_t c_row = call->c_row, c_line = call->c_line;
    EACH_SUM(sum[r][l * vectors + v] = LOAD16(f32x16, c, r * c_row + l * c_line + 16 * v);)
    for (int64_t line = 0; line < call->lines; line++) {
        const float *a = call->a + line * call->a_line, *b = call->b + line * b_line;
        for (int64_t k = call->k; k > 0; k--) {
            if (a_ahead != 0) {
                __builtin_prefetch(a + a_ahead, 0, 2);
                __builtin_prefetch(b + call->b_ahead, 0, 2);
            }
#pragma clang loop unroll(full)
            for (int l = 0; l < kernel_lines; l++) {
#pragma clang loop unroll(full)
                for (int v = 0; v < vectors; v++) {
                    column[l * vectors + v] = LOAD16(f32x16, b, 16 * v - l * b_line);
                }
            }
#pragma clang loop unroll(full)
            for (int r = 0; r < rows; r++) {
                f32x16 row = (f32x16)(a[r]);
#pragma clang loop unroll(full)
                for (int s = 0; s < kernel_lines * vectors; s++) {
                    sum[r][s] = __builtin_elementwise_fma(row, column[s], sum[r][s]);
                }
            }
            a += a_k;
            b += b_k;
        }
    }
    EACH_SUM(STORE16(f32x16, c, r * c_row + l * c_line + 16 * v, sum[r][l * vectors + v]);)
#undef EACH_SUM
}

#define GRADIENT(ROWS, LINES, VECTORS)                                                                                 \
    static void gradient_##ROWS##_##LINES##_##VECTORS(const gradient_call *call) {                                     \
        gradient_micro(ROWS, LINES, VECTORS, call);                                                                    \
    }
#define GRADIENT_ENTRY(ROWS, LINES, VECTORS) [ROWS] = gradient_##ROWS##_##LINES##_##VECTORS,
#define FOR_GRADIENT_ROWS_1(X, L, V) X(1, L, V) X(2, L, V) X(3, L, V) X(4, L, V)
#if SPK_LEVEL_NUMBER == 2
#define FOR_GRADIENT_ROWS_2(X, L, V) FOR_GRADIENT_ROWS_1(X, L, V) X(5, L, V) X(6, L, V) X(7, L, V) X(8, L, V)
#define FOR_GRADIENT_ROWS_3(X, L, V)                                                                                   \
    FOR_GRADIENT_ROWS_2(X, L, V) X(9, L, V) X(10, L, V) X(11, L, V) X(12, L, V) X(13, L, V) X(14, L, V)
FOR_GRADIENT_ROWS_3(GRADIENT, 1, 1)
FOR_GRADIENT_ROWS_3(GRADIENT, 1, 2)
FOR_GRADIENT_ROWS_2(GRADIENT, 2, 1)
FOR_GRADIENT_ROWS_2(GRADIENT, 3, 1)
#else
FOR_GRADIENT_ROWS_1(GRADIENT, 1, 1)
#endif

/// [lines of the kernel][vectors][rows]
static const gradient_kernel gradient_kernels[4][3][GEMM_ROWS + 1] = {
#if SPK_LEVEL_NUMBER == 2
    [1] = {[1] = {FOR_GRADIENT_ROWS_3(GRADIENT_ENTRY, 1, 1)}, [2] = {FOR_GRADIENT_ROWS_3(GRADIENT_ENTRY, 1, 2)}},
    [2] = {[1] = {FOR_GRADIENT_ROWS_2(GRADIENT_ENTRY, 2, 1)}},
    [3] = {[1] = {FOR_GRADIENT_ROWS_2(GRADIENT_ENTRY, 3, 1)}},
#else
    [1] = {[1] = {FOR_GRADIENT_ROWS_1(GRADIENT_ENTRY, 1, 1)}},
#endif
};

/// Whether a tile's channels are read in place. `tile_rows` become the channels of a tile, `depth` the lines of pixels that it
/// goes through at a time, and `across` whether lines of the kernel share what is read.
static bool conv_gradient_in_place(conv_phase *phase) {
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    int64_t channels = conv->batch, features = conv->features;
    if (taps->count == 0 || channels < GRADIENT_LEAST_ROWS || features % 16 != 0 || conv->x.strides[1] != 1 || !conv->channels_first ||
        conv->out.strides[2] != 1 || rows->size[0] != 1 || taps->size[0] != 1 || conv->input[0] != 1 ||
        phase->base[0] != 0) {
        return false;
    }
    // A vector of channels to a tile, if there are enough.
    int64_t tiles = SPK_MIN(SPK_MAX(channels / 16, (int64_t)GRADIENT_LEAST_TILES), (int64_t)GRADIENT_MOST_TILES);
    phase->tile_rows = spk_ceil_div(spk_ceil_div(channels, tiles), 4) * 4;
    phase->row_tiles = spk_ceil_div(channels, phase->tile_rows);
    phase->across = features == 16 && rows->size[1] > 1 && rows->step[1] == 1 && taps->step[1] == 1;
    int64_t line = taps->size[2] * (features + SPK_MAX(phase->tile_rows, (int64_t)16));
    int64_t lines = phase->across ? conv->input[1] : taps->size[1];
    int64_t parts = spk_ceil_div(lines, SPK_MAX(GRADIENT_FLOATS / line, (int64_t)1));
    phase->depth = spk_ceil_div(lines, parts);
    return true;
}

/// All channels of a tile and all features, of `kernel_lines` lines of the kernel and the columns that are not outside: `lines`
/// lines of pixels from `pixel_line` on.
static void gradient_lines(
    const conv_phase *phase, const float *x, const float *w, float *out, int64_t channels, int64_t kernel_line,
    int kernel_lines, int64_t pixel_line, int64_t lines) {
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    const int64_t *strides = conv->x.strides;
    int64_t line = phase->base[1] + kernel_line * rows->step[1] + pixel_line * taps->step[1];
    gradient_call call = {
        .a_k = taps->step[2] * strides[5],
        .a_line = taps->step[1] * strides[4],
        .b_k = phase->w_k,
        .b_line = taps->size[2] * phase->w_k,
        .c_row = conv->out.strides[1],
        .c_line = phase->out_stride[1],
        .lines = lines,
    };
    enum { WIDE = GEMM_VECTORS < 2 ? 1 : 2, SHARED_ROWS = 8 };
    int64_t most = SPK_LEVEL_NUMBER < 2 ? 4 : kernel_lines > 1 ? SHARED_ROWS : GEMM_ROWS;
    int64_t groups = spk_ceil_div(channels, most);
    // Each call asks for one of the cache lines that the pixels of the next stretch have.
    int64_t asked = 0, most_asked = spk_ceil_div(SPK_MAX(channels, conv->features), 16);
    if (kernel_line > 0 && kernel_lines == 1) { asked = most_asked; }
    for (int64_t tap = 0; tap < rows->size[2]; tap++) {
        int64_t place = phase->base[2] + tap * rows->step[2];
        conv_range inside = conv_inside(place, taps->step[2], taps->size[2], conv->input[2]);
        call.k = inside.end - inside.first;
        if (call.k <= 0) { continue; }
        const float *a = x + line * strides[4] + (place + inside.first * taps->step[2]) * strides[5];
        const float *b = w + pixel_line * call.b_line + inside.first * call.b_k;
        float *c = out + kernel_line * call.c_line + tap * phase->out_stride[2];
        for (int64_t r = 0, g = 0; g < groups; g++) {
            int64_t size = channels / groups + (g < channels % groups);
            for (int64_t column = 0; column < conv->features;) {
                int vectors = conv->features - column >= 32 && kernel_lines == 1 ? WIDE : 1;
                call.a = a + r;
                call.b = b + column;
                call.c = c + r * call.c_row + column;
                bool asks = asked < most_asked;
                call.a_ahead = asks ? phase->depth * call.a_line + SPK_MIN(16 * asked, channels - 1) - r : 0;
                call.b_ahead =
                    phase->depth * call.b_line + SPK_MIN(16 * asked, conv->features - 16) - column;
                asked += 1;
                gradient_kernels[kernel_lines][vectors][size](&call);
                column += 16 * vectors;
            }
            r += size;
        }
    }
}

static void run_conv_gradient_tile(void *context, int64_t tile) {
    const conv_phase *phase = context;
    const spk_conv *conv = phase->conv;
    const conv_side *rows = &phase->rows, *taps = &phase->taps;
    int64_t group = tile / phase->row_tiles, row = tile % phase->row_tiles * phase->tile_rows;
    int64_t channels = SPK_MIN(phase->tile_rows, conv->batch - row);
    float *out = phase->out + group * conv->out.strides[0] + row * conv->out.strides[1];
    for (int64_t line = 0; line < rows->size[1]; line++) {
        for (int64_t tap = 0; tap < rows->size[2]; tap++) {
            for (int64_t r = 0; r < channels; r++) {
                conv_zeros(
                    out + line * phase->out_stride[1] + tap * phase->out_stride[2] + r * conv->out.strides[1],
                    conv->features);
            }
        }
    }
    int64_t base = phase->base[1], height = taps->size[1];
    for (int64_t member = 0; member < conv->channels; member++) {
        const float *x = phase->x + group * conv->x.strides[0] + member * conv->x.strides[2] + row;
        const float *w =
            phase->w + group * phase->packed_group + member * height * taps->size[2] * phase->w_k;
        if (!phase->across) {
            for (int64_t first = 0; first < height; first += phase->depth) {
                int64_t end = SPK_MIN(first + phase->depth, height);
                for (int64_t line = 0; line < rows->size[1]; line++) {
                    conv_range all =
                        conv_inside(base + line * rows->step[1], taps->step[1], height, conv->input[1]);
                    int64_t from = SPK_MAX(all.first, first), to = SPK_MIN(all.end, end);
                    if (from < to) { gradient_lines(phase, x, w, out, channels, line, 1, from, to - from); }
                }
            }
            continue;
        }
        // Along lines of x: those in a row that the same lines of the kernel see.
        int64_t end = SPK_MIN(conv->input[1], base + height + rows->size[1] - 1);
        for (int64_t line = SPK_MAX(base, (int64_t)0); line < end;) {
            int64_t low = SPK_MAX(line - base - height + 1, (int64_t)0);
            int64_t high = SPK_MIN(line - base, rows->size[1] - 1);
            int64_t next = line + 1, stop = SPK_MIN(end, (line / phase->depth + 1) * phase->depth);
            while (next < stop && SPK_MAX(next - base - height + 1, (int64_t)0) == low &&
                   SPK_MIN(next - base, rows->size[1] - 1) == high) {
                next++;
            }
            for (int64_t k = low; k <= high; k += GRADIENT_LINES) {
                int kernel_lines = (int)SPK_MIN(high - k + 1, (int64_t)GRADIENT_LINES);
                gradient_lines(phase, x, w, out, channels, k, kernel_lines, line - base - k, next - line);
            }
            line = next;
        }
    }
}
