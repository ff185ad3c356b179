// Convolutions as products: rows of patches times the weights. The patches of one tile are gathered into scratch, a stretch
// of the chain at a time, and go through the matrix micro-kernel; nothing of the size of all patches ever exists.
// Where pixels lie one after the other (NHWC), tiles of the input are copied with their margins instead, and patches read in
// place: a line of taps is a run of it. An input_dilation is taken apart first: outputs of one remainder see the same taps, a convolution without holes.
// Included once per instruction set.

enum {
    CONV_DEPTH = 384,      // most of the chain per gathered tile
    CONV_DEPTH_ACROSS = 256, // the same where patches lie across, [k][row]
    CONV_ROWS = SPK_PACKED_ROWS,
    CONV_A_FLOATS = SPK_PACKED_ROWS * (SPK_PACKED_DEPTH + 16),
    CONV_COLUMNS = 256,    // most columns per tile whose results go through scratch
    CONV_LEAST_TILES = 8,
    CONV_LEAST_TILES_ACROSS = 4, // short rows of patches cost too much
    CONV_TILES_AHEAD = 2,        // of which this thread may do the next one
    CONV_MARGIN_FLOATS = 6400,   // of the input per tile with margins, if one line of results needs no more
    CONV_LEAST_CHAIN = 20,       // of pixels, for the gradient of a kernel: shorter ones pay for loading and storing sums
    CONV_LEAST_LINE = 8,         // of taps, and of results, for reading in place
    CONV_GROUP_LANES = 64, // groups per tile of grouped sums
};

/// One side of the patch matrix: three spatial dimensions and a fourth one, outermost or innermost.
typedef struct {
    int64_t size[3], step[3]; // a spatial index moves the position by its step
    int64_t other, other_stride;
    bool other_inner;
    int64_t count;
    int64_t line;   // elements of an innermost run of constant stride in x
    int64_t stride; // of a run
    int64_t unit;   // of these elements have one position; 0: the whole run has
    bool merges;    // a run covers the last spatial dimension and the fourth one
} conv_side;

/// A convolution without holes: one group of a phase.
typedef struct {
    const spk_conv *conv;
    const float *x, *w;
    float *out;
    int64_t base[3], out_stride[3];
    conv_side rows, taps;
    int64_t w_k, c_row; // c_row 0: the results' rows have no common stride
    bool across;        // patches as [k][row]
    int64_t tile_rows, row_tiles, tile_columns, column_tiles, depth, packed_group;
    int64_t pixel_floats, line_floats; // of the input with margins
} conv_phase;

static void conv_side_prepare(conv_side *side, const int64_t *x_strides) {
    side->count = side->size[0] * side->size[1] * side->size[2] * side->other;
    bool merges = side->step[2] * x_strides[2] == side->other * side->other_stride || side->size[2] == 1;
    if (side->other_inner && side->other > 1) {
        side->merges = merges && side->size[2] > 1;
        side->line = side->merges ? side->size[2] * side->other : side->other;
        side->stride = side->other_stride;
        side->unit = side->merges ? side->other : 0;
    } else {
        side->line = side->size[2];
        side->stride = side->step[2] * x_strides[2];
        side->unit = 1;
    }
}

/// A run of the inner side within a tile: where it begins relative to the outer side's element.
typedef struct {
    int64_t offset, position[3], start, count, target;
} conv_line;

/// The indices of a side's element.
SPK_INLINE void conv_indices(const conv_side *side, int64_t index, int64_t *other, int64_t spatial[3]) {
    if (side->other_inner) {
        *other = index % side->other;
        index /= side->other;
    }
    spatial[2] = index % side->size[2];
    index /= side->size[2];
    spatial[1] = index % side->size[1];
    index /= side->size[1];
    if (side->other_inner) {
        spatial[0] = index;
    } else {
        spatial[0] = index % side->size[0];
        *other = index / side->size[0];
    }
}

static int conv_lines(const conv_side *side, int64_t first, int64_t count, conv_line *lines) {
    int number = 0;
    for (int64_t done = 0; done < count;) {
        int64_t index = first + done, start = index % side->line;
        int64_t length = SPK_MIN(side->line - start, count - done);
        int64_t other, spatial[3];
        conv_indices(side, index - start, &other, spatial);
        lines[number++] = (conv_line){
            .offset = other * side->other_stride,
            .position = {spatial[0] * side->step[0], spatial[1] * side->step[1], spatial[2] * side->step[2]},
            .start = start,
            .count = length,
            .target = done,
        };
        done += length;
    }
    return number;
}

/// Whole vectors: what lies behind the end is written by a later run, or is room of the scratch.
SPK_INLINE void conv_zeros(float *target, int64_t count) {
    for (int64_t i = 0; i < count; i += 16) { STORE16(f32x16, target, i, (f32x16)(0.0f)); }
}

SPK_INLINE void conv_copy(float *target, const float *source, int64_t stride, int64_t count) {
    if (stride == 1) {
        int64_t i = 0;
        for (; i + 16 <= count; i += 16) { STORE16(f32x16, target, i, LOAD16(f32x16, source, i)); }
        if (i < count) { STORE16(f32x16, target, i, load_partial(source + i, (int)(count - i))); }
    } else {
        for (int64_t i = 0; i < count; i++) { target[i] = source[i * stride]; }
    }
}

/// Patches: for `outers` elements of the outer side the runs of the inner side, zeros outside of x.
static void conv_gather(
    float *packed, int64_t row_floats, const conv_phase *phase, const float *x, const conv_side *inner,
    const conv_side *outer, int64_t first, int64_t outers, const conv_line *lines, int line_count) {
    const int64_t *extent = phase->conv->input, *strides = phase->conv->x.strides + 3;
    int64_t step = inner->step[2], unit = inner->unit;
    for (int64_t row = 0; row < outers; row++, packed += row_floats) {
        int64_t other, spatial[3];
        conv_indices(outer, first + row, &other, spatial);
        int64_t at[3];
        for (int d = 0; d < 3; d++) { at[d] = phase->base[d] + spatial[d] * outer->step[d]; }
        const float *from = x + other * outer->other_stride;
        // The part of a run that lies inside of x.
        int64_t low = 0, high = inner->line;
        if (unit != 0) {
            low = at[2] >= 0 ? 0 : step == 1 ? -at[2] : spk_ceil_div(-at[2], step);
            high = at[2] >= extent[2] ? 0 : step == 1 ? extent[2] - at[2] : spk_ceil_div(extent[2] - at[2], step);
            low *= unit;
            high *= unit;
        }
        for (int l = 0; l < line_count; l++) {
            const conv_line *line = lines + l;
            float *target = packed + line->target;
            int64_t p0 = at[0] + line->position[0], p1 = at[1] + line->position[1], p2 = at[2] + line->position[2];
            bool inside = p0 >= 0 && p0 < extent[0] && p1 >= 0 && p1 < extent[1] &&
                (unit != 0 || (p2 >= 0 && p2 < extent[2]));
            int64_t end = line->start + line->count;
            int64_t begin = SPK_MAX(line->start, low), stop = SPK_MIN(end, high);
            if (!inside || begin >= stop) {
                conv_zeros(target, line->count);
                continue;
            }
            if (begin > line->start) { conv_zeros(target, begin - line->start); }
            conv_copy(
                target + (begin - line->start),
                from + line->offset + p0 * strides[0] + p1 * strides[1] + p2 * strides[2] + begin * inner->stride,
                inner->stride, stop - begin);
            if (stop < end) { conv_zeros(target + (stop - line->start), end - stop); }
        }
    }
}

static void run_conv_tile(void *context, int64_t tile) {
    const conv_phase *phase = context;
    const spk_conv *conv = phase->conv;
    spk_scratch *scratch = spk_get_scratch();
    int64_t per_group = phase->row_tiles * phase->column_tiles, group = tile / per_group, within = tile % per_group;
    int64_t row = within % phase->row_tiles * phase->tile_rows;
    int64_t rows = SPK_MIN(phase->tile_rows, phase->rows.count - row);
    int64_t column = within / phase->row_tiles * phase->tile_columns;
    int64_t columns = SPK_MIN(phase->tile_columns, conv->features - column);
    if (rows <= 0 || columns <= 0) { return; }
    const float *x = phase->x + group * conv->x.strides[0];
    float *out = phase->out + group * conv->out.strides[0];
    bool direct = phase->c_row != 0;
    int64_t tile_row_floats = spk_ceil_div(columns, 16) * 16;
    gemm_matrices matrices = {
        .b = phase->w + group * phase->packed_group + column,
        .b_k = phase->w_k,
        .c = direct ? out + row * phase->c_row + column : scratch->packed_b,
        .c_row = direct ? phase->c_row : tile_row_floats,
        .k = phase->taps.count,
    };
    bool wide = rows <= GEMM_WIDE_ROWS;
    conv_line lines[CONV_DEPTH];
    for (int64_t first = 0; first == 0 || first < phase->taps.count; first += phase->depth) {
        int64_t depth = SPK_MIN(phase->depth, phase->taps.count - first);
        int64_t a_row, a_k;
        if (phase->across) {
            int count = conv_lines(&phase->rows, row, rows, lines);
            conv_gather(
                scratch->packed_a, CONV_ROWS, phase, x, &phase->rows, &phase->taps, first, depth, lines, count);
            a_row = 1;
            a_k = CONV_ROWS;
        } else {
            a_row = spk_ceil_div(phase->depth, 16) * 16 + 16;
            a_k = 1;
            int count = conv_lines(&phase->taps, first, depth, lines);
            conv_gather(scratch->packed_a, a_row, phase, x, &phase->taps, &phase->rows, row, rows, lines, count);
        }
        gemm_pass(&matrices, scratch->packed_a, a_row, a_k, NULL, first, depth, 0, rows, 0, columns, wide);
    }
    if (direct) { return; }
    int64_t places[CONV_ROWS];
    for (int64_t r = 0; r < rows; r++) {
        int64_t other, spatial[3];
        conv_indices(&phase->rows, row + r, &other, spatial);
        places[r] = other * conv->out.strides[1];
        for (int d = 0; d < 3; d++) { places[r] += spatial[d] * phase->out_stride[d]; }
    }
    int64_t feature = conv->out.strides[2];
    out += column * feature;
    if (feature == 1) {
        for (int64_t r = 0; r < rows; r++) {
            memcpy(out + places[r], scratch->packed_b + r * tile_row_floats, (size_t)columns * sizeof(float));
        }
    } else {
        for (int64_t f = 0; f < columns; f++) {
            for (int64_t r = 0; r < rows; r++) {
                out[f * feature + places[r]] = scratch->packed_b[r * tile_row_floats + f];
            }
        }
    }
}

#include "conv_in_place.inc.h"

#include "conv_gradient.inc.h"

// MARK: One feature per group (depthwise), vectors along the groups

static void run_conv_groups_tile(void *context, int64_t tile) {
    const conv_phase *phase = context;
    const spk_conv *conv = phase->conv;
    int64_t row = tile / phase->column_tiles, first = tile % phase->column_tiles * CONV_GROUP_LANES;
    int64_t groups = SPK_MIN(conv->groups - first, (int64_t)CONV_GROUP_LANES);
    int64_t other, at[3];
    conv_indices(&phase->rows, row, &other, at);
    const float *x = phase->x + first + other * phase->rows.other_stride;
    float *out = phase->out + first + other * conv->out.strides[1];
    for (int d = 0; d < 3; d++) {
        out += at[d] * phase->out_stride[d];
        at[d] = phase->base[d] + at[d] * phase->rows.step[d];
    }
    const int64_t *strides = conv->x.strides + 3;
    const conv_side *taps = &phase->taps;
    for (int64_t g = 0; g < groups; g += 16) {
        int lanes = (int)SPK_MIN(groups - g, (int64_t)16);
        f32x16 sum = (f32x16)(0.0f);
        const float *w = phase->w + first + g;
        int64_t spatial[3] = {0, 0, 0}, channel = 0;
        for (int64_t k = 0; k < taps->count; k++, w += phase->w_k) {
            int64_t offset = channel * taps->other_stride;
            bool inside = true;
            for (int d = 0; d < 3; d++) {
                int64_t position = at[d] + spatial[d] * taps->step[d];
                inside = inside && position >= 0 && position < conv->input[d];
                offset += position * strides[d];
            }
            f32x16 value = inside ? load_partial(x + g + offset, lanes) : (f32x16)(0.0f);
            sum = __builtin_elementwise_fma(value, load_partial(w, lanes), sum);
            // The next tap, in the order of the chain.
            if (taps->other_inner && ++channel < taps->other) { continue; }
            if (taps->other_inner) { channel = 0; }
            int d = 2;
            while (d >= 0 && ++spatial[d] == taps->size[d]) { spatial[d--] = 0; }
            if (d < 0) { channel += 1; }
        }
        store_partial(out + g, sum, lanes);
    }
}

// MARK: Phases

SPK_INLINE int64_t conv_gcd(int64_t a, int64_t b) {
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/// The outputs of one remainder along a dimension: which they are, which taps they see, and where these lie in x.
typedef struct {
    int64_t first, period, outputs, first_tap, tap_step, taps, base, output_step, tap_move;
} conv_axis;

static conv_axis conv_axis_of(const spk_conv *conv, int d, int64_t remainder) {
    int64_t stride = conv->stride[d], holes = conv->input_dilation[d], dilation = conv->kernel_dilation[d];
    conv_axis axis = {.first = remainder, .period = holes / conv_gcd(holes, stride)};
    axis.tap_step = holes / conv_gcd(holes, dilation);
    axis.outputs = spk_ceil_div(conv->output[d] - remainder, axis.period);
    axis.output_step = axis.period * stride / holes;
    axis.tap_move = axis.tap_step * dilation / holes;
    int64_t place = remainder * stride - conv->padding[d];
    int64_t taps = SPK_MIN(axis.tap_step, conv->kernel[d]);
    while (axis.first_tap < taps && (place + axis.first_tap * dilation) % holes != 0) { axis.first_tap += 1; }
    if (axis.first_tap < taps) {
        axis.taps = spk_ceil_div(conv->kernel[d] - axis.first_tap, axis.tap_step);
        axis.base = (place + axis.first_tap * dilation) / holes;
    } else {
        axis.first_tap = 0;
    }
    return axis;
}

/// The weights of a phase's taps, without gaps.
static void conv_pack_weights(conv_phase *phase, const conv_axis axes[3], float *packed) {
    const spk_conv *conv = phase->conv;
    const conv_side *taps = &phase->taps;
    phase->w_k = conv->features;
    phase->packed_group = taps->count * conv->features;
    for (int64_t group = 0; group < conv->groups; group++) {
        for (int64_t k = 0; k < taps->count; k++, packed += conv->features) {
            int64_t channel, spatial[3];
            conv_indices(taps, k, &channel, spatial);
            const float *from = phase->w + group * conv->w.strides[0] + channel * conv->w.strides[1];
            for (int d = 0; d < 3; d++) {
                from += (axes[d].first_tap + spatial[d] * axes[d].tap_step) * conv->w.strides[3 + d];
            }
            memcpy(packed, from, (size_t)conv->features * sizeof(float));
        }
    }
}

/// The stride of the weights along the chain: that of its innermost dimension.
static int64_t conv_weight_stride(const spk_conv *conv) {
    if (!conv->channels_first && conv->channels > 1) { return conv->w.strides[1]; }
    for (int d = 2; d >= 0; d--) {
        if (conv->kernel[d] > 1) { return conv->w.strides[3 + d]; }
    }
    return conv->w.strides[1];
}

/// The common stride of the results' rows, or 0.
static int64_t conv_row_stride(const conv_phase *phase) {
    const conv_side *rows = &phase->rows;
    if (phase->conv->out.strides[2] != 1 && phase->conv->features > 1) { return 0; }
    int64_t sizes[4] = {rows->other, rows->size[0], rows->size[1], rows->size[2]};
    int64_t strides[4] = {
        phase->conv->out.strides[1], phase->out_stride[0], phase->out_stride[1], phase->out_stride[2]};
    int64_t order[4] = {0, 1, 2, 3}, last[4] = {1, 2, 3, 0};
    const int64_t *dimensions = rows->other_inner ? last : order;
    int64_t common = 0, next = 0;
    for (int k = 3; k >= 0; k--) {
        int64_t size = sizes[dimensions[k]], stride = strides[dimensions[k]];
        if (size == 1) { continue; }
        if (next != 0 && stride != next) { return 0; }
        if (common == 0) { common = stride; }
        next = stride * size;
    }
    return common == 0 ? SPK_MAX(phase->conv->features, (int64_t)1) : common;
}

static void run_conv_phase(
    const spk_conv *conv, void *const *slots, spk_pool *pool, const conv_axis axes[3], bool splits) {
    conv_phase phase = {
        .conv = conv,
        .x = (const float *)slots[conv->x.slot] + conv->x.offset,
        .w = (const float *)slots[conv->w.slot] + conv->w.offset,
        .out = (float *)slots[conv->out.slot] + conv->out.offset,
        .rows = {.other = conv->batch, .other_stride = conv->x.strides[1]},
        .taps = {.other = conv->channels, .other_stride = conv->x.strides[2], .other_inner = !conv->channels_first},
        .packed_group = conv->w.strides[0],
    };
    for (int d = 0; d < 3; d++) {
        phase.base[d] = axes[d].base;
        phase.out += axes[d].first * conv->out.strides[3 + d];
        phase.out_stride[d] = axes[d].period * conv->out.strides[3 + d];
        phase.rows.size[d] = axes[d].outputs;
        phase.rows.step[d] = axes[d].output_step;
        phase.taps.size[d] = axes[d].taps;
        phase.taps.step[d] = axes[d].tap_move;
    }
    // Rows in the order in which the results lie.
    phase.rows.other_inner = conv->out.strides[1] < phase.out_stride[2];
    conv_side_prepare(&phase.rows, conv->x.strides + 3);
    phase.taps.count = phase.taps.size[0] * phase.taps.size[1] * phase.taps.size[2] * conv->channels;
    if (phase.taps.count > 0) { conv_side_prepare(&phase.taps, conv->x.strides + 3); }
    phase.w_k = conv_weight_stride(conv);
    double work = (double)phase.rows.count * (double)SPK_MAX(phase.taps.count, (int64_t)1) * (double)conv->features *
        (double)conv->groups;
    spk_pool *used = work < GEMM_PARALLEL_WORK ? NULL : pool;

    if (!splits && conv->features == 1 && conv->groups > 1 && conv->x.strides[0] == 1 && conv->w.strides[0] == 1 &&
        conv->out.strides[0] == 1) {
        phase.column_tiles = spk_ceil_div(conv->groups, CONV_GROUP_LANES);
        spk_pool_run(used, phase.rows.count * phase.column_tiles, run_conv_groups_tile, &phase);
        return;
    }
    if (splits) {
        float *packed = (float *)slots[conv->packed] + conv->packed_offset;
        conv_pack_weights(&phase, axes, packed);
        phase.w = packed;
    }
    if (conv_reads_in_place(&phase)) {
        int64_t planes = conv->groups * conv->batch * phase.rows.size[0];
        if (used != NULL) {
            int64_t wanted = spk_ceil_div(CONV_LEAST_TILES, planes);
            phase.tile_rows = SPK_MIN(phase.tile_rows, spk_ceil_div(phase.rows.size[1], wanted));
        }
        phase.row_tiles = spk_ceil_div(phase.rows.size[1], phase.tile_rows);
        phase.tile_rows = spk_ceil_div(phase.rows.size[1], phase.row_tiles);
        spk_pool_run(used, planes * phase.row_tiles, run_conv_lines_tile, &phase);
        return;
    }
    if (!splits && conv_gradient_in_place(&phase)) {
        spk_pool_run(used, conv->groups * phase.row_tiles, run_conv_gradient_tile, &phase);
        return;
    }
    if (!splits && conv_rows_in_place(&phase)) {
        spk_pool_run(used, conv->groups * phase.row_tiles * phase.column_tiles, run_conv_rows_tile, &phase);
        return;
    }
    phase.c_row = conv_row_stride(&phase);
    // The side with the longer runs lies along.
    int64_t along = phase.taps.count > 0 && phase.taps.stride == 1 ? phase.taps.line : 0;
    int64_t across = phase.rows.stride == 1 ? phase.rows.line : 0;
    phase.across = across > along;
    int64_t most = phase.across ? CONV_DEPTH_ACROSS : CONV_DEPTH;
    int64_t passes = SPK_MAX(spk_ceil_div(phase.taps.count, most), (int64_t)1);
    phase.depth = SPK_MAX(spk_ceil_div(phase.taps.count, passes), (int64_t)1);
    // Room behind the last row for whole vectors.
    int64_t row_floats = spk_ceil_div(phase.depth, 16) * 16 + 16;
    int64_t room = phase.across ? CONV_ROWS : SPK_MIN((CONV_A_FLOATS - 16) / row_floats, (int64_t)CONV_ROWS);
    room = room / 14 * 14;
    int64_t least = phase.across ? CONV_LEAST_TILES_ACROSS : CONV_LEAST_TILES;
    int64_t wanted = spk_ceil_div(least, conv->groups);
    int64_t rows = SPK_MAX(spk_ceil_div(phase.rows.count, wanted), (int64_t)14);
    phase.tile_rows = used == NULL ? room : SPK_MIN(room, rows);
    phase.row_tiles = spk_ceil_div(phase.rows.count, phase.tile_rows);
    phase.tile_rows = spk_ceil_div(phase.rows.count, phase.row_tiles);
    int64_t most_columns = phase.c_row != 0 ? conv->features : CONV_COLUMNS;
    if (used != NULL && phase.row_tiles * conv->groups < least) {
        int64_t share = spk_ceil_div(least, phase.row_tiles * conv->groups);
        most_columns = SPK_MIN(most_columns, spk_ceil_div(spk_ceil_div(conv->features, share), 32) * 32);
    }
    phase.tile_columns = SPK_MIN(conv->features, most_columns);
    phase.column_tiles = spk_ceil_div(conv->features, phase.tile_columns);
    spk_pool_run(used, conv->groups * phase.row_tiles * phase.column_tiles, run_conv_tile, &phase);
}

#include "conv_plain.inc.h"

static void run_conv(const void *arguments, void *const *slots, spk_pool *pool) {
    const spk_conv *conv = arguments;
    int64_t results = conv->output[0] * conv->output[1] * conv->output[2] * conv->batch;
    if (results <= 0 || conv->groups <= 0 || conv->features <= 0) { return; }
    if (conv->x.dtype != SPK_FLOAT32) {
        conv_plain run = {
            .conv = conv,
            .x = spk_address(slots, conv->x.slot, conv->x.offset, conv->x.dtype),
            .w = spk_address(slots, conv->w.slot, conv->w.offset, conv->x.dtype),
            .out = spk_address(slots, conv->out.slot, conv->out.offset, conv->x.dtype),
        };
        spk_pool_run(results < 64 ? NULL : pool, results * conv->groups, run_conv_plain_row, &run);
        return;
    }
    int64_t phases[3];
    for (int d = 0; d < 3; d++) {
        phases[d] = SPK_MIN(conv->input_dilation[d] / conv_gcd(conv->input_dilation[d], conv->stride[d]), conv->output[d]);
    }
    for (int64_t a = 0; a < phases[0]; a++) {
        for (int64_t b = 0; b < phases[1]; b++) {
            for (int64_t c = 0; c < phases[2]; c++) {
                conv_axis axes[3] = {conv_axis_of(conv, 0, a), conv_axis_of(conv, 1, b), conv_axis_of(conv, 2, c)};
                run_conv_phase(conv, slots, pool, axes, conv->packed >= 0);
            }
        }
    }
}
